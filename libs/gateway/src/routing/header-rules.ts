import type { HeaderRules } from './route-schema.ts';

/** Rules in the form in which they are carried out: what goes, and what comes, as flat pairs. */
export interface CompiledRules {
  /** Names (lower case) that are taken out: those of `remove`, and of `set`, which are written anew. */
  readonly dropped: ReadonlySet<string>;
  /** Name and value pairs that come. */
  readonly added: readonly string[];
}

/** Reads rules once for a route; undefined when there is nothing to do. */
export function compileRules(rules: HeaderRules | undefined): CompiledRules | undefined {
  if (rules === undefined) return undefined;
  const { set = {}, add = {}, remove = [] } = rules;
  const added = [...Object.entries(set), ...Object.entries(add)].flatMap(([name, values]) =>
    [values].flat().flatMap((value) => [name, value]),
  );
  const dropped = new Set([...remove, ...Object.keys(set)]);
  return dropped.size === 0 && added.length === 0 ? undefined : { dropped, added };
}

/** New pairs: without what goes, then with what comes. */
export function applyRules(rules: CompiledRules, pairs: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at] ?? '';
    if (!rules.dropped.has(name.toLowerCase())) kept.push(name, pairs[at + 1] ?? '');
  }
  kept.push(...rules.added);
  return kept;
}
