import { MeshConfigError } from './mesh-config-error.ts';

/**
 * Names so ordered that each comes after everything it needs (Kahn's algorithm; otherwise in the order given).
 *
 * @throws MeshConfigError naming a cycle, such as `a -> b -> a`.
 */
export function startOrder(needs: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const placed = new Set<string>();
  const waiting = new Map(needs);
  while (waiting.size > 0) {
    const free = [...waiting].filter(([, needed]) => needed.every((name) => placed.has(name)));
    if (free.length === 0) {
      throw new MeshConfigError(`services depend on each other: ${cycleIn(waiting).join(' -> ')}`);
    }
    for (const [name] of free) {
      placed.add(name);
      waiting.delete(name);
    }
  }
  return [...placed];
}

/** The names, and all that they need, directly or not. */
export function withNeeds(
  names: Iterable<string>,
  needs: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const found = new Set(names);
  // A Set visits what is added to it while it is walked.
  for (const name of found) for (const needed of needs.get(name) ?? []) found.add(needed);
  return found;
}

/** Everything that waits here waits for something else that waits: following it must come round. */
function cycleIn(waiting: ReadonlyMap<string, readonly string[]>): string[] {
  const path: string[] = [];
  let name = waiting.keys().next().value ?? '';
  while (!path.includes(name)) {
    path.push(name);
    name = waiting.get(name)?.find((needed) => waiting.has(needed)) ?? '';
  }
  return [...path.slice(path.indexOf(name)), name];
}
