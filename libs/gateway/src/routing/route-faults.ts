import { branchName } from './branch-name.ts';
import { covers } from './conditions.ts';
import { isParameter, isPrefix, parametersOf, pathForm } from './path-pattern.ts';
import type { Route } from './route-schema.ts';
import { byCloseness, patternOf } from './route-table.ts';

/** What routes that are well formed one by one have wrong with each other or with themselves; `path` leads from a route's list. */
export interface Contradiction {
  /** From the list of routes on: index, then keys. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Everything that no schema sees: what excludes itself, ids that are there twice, routes that no request can reach. */
export function contradictions(routes: readonly Route[]): Contradiction[] {
  return [...routes.flatMap(withinRoute), ...twinIds(routes), ...unreachable(routes)];
}

function withinRoute(route: Route, index: number): Contradiction[] {
  const found: Contradiction[] = [];
  const fault = (key: string, message: string): void => {
    found.push({ path: [index, key], message });
  };
  const { service, split, sticky, rollback, rewrite, match } = route;
  if (service === undefined && split === undefined)
    found.push({ path: [index], message: 'must have a service or a split' });
  if (split !== undefined) {
    if (service === '*') fault('split', 'cannot split a service that the path names');
    if (split.every(({ weight }) => weight === 0)) fault('split', 'the weights sum to 0');
    split.forEach((branch, at) => {
      if (branch.service === undefined && service === undefined) {
        found.push({ path: [index, 'split', at], message: 'must have a service: the route has none' });
      }
    });
    const names = split.map(branchName);
    names.forEach((name, at) => {
      if (names.indexOf(name) < at) {
        found.push({
          path: [index, 'split', at],
          message: `is the second branch named ${name}; give it another name`,
        });
      }
    });
  } else {
    if (sticky !== undefined) fault('sticky', 'needs a split');
    if (rollback) fault('rollback', 'needs a split');
  }
  if (route.cache && split?.some((branch) => branch.where !== undefined)) {
    fault('cache', 'would mix the answers of branches that differ by "where"; give each a route of its own');
  }
  if (rollback && split?.length === 1) fault('rollback', 'needs a second branch');
  if (service === '*' && match.prefix === undefined) fault('service', '"*" needs a prefix');
  if (rewrite !== undefined) found.push(...rewriteFaults(route, rewrite, index));
  return found;
}

function rewriteFaults(route: Route, rewrite: string, index: number): Contradiction[] {
  const path = [index, 'rewrite'];
  if (route.service === '*') return [{ path, message: 'cannot rewrite when the path names the service' }];
  if (!isPrefix(rewrite)) return [{ path, message: pathForm }];
  const known = parametersOf(patternOf(route));
  return rewrite
    .split('/')
    .filter((part) => isParameter(part) && !known.includes(part.slice(1)))
    .map((part) => ({ path, message: `uses ${part}, which the match does not have` }));
}

function twinIds(routes: readonly Route[]): Contradiction[] {
  const first = new Map<string, number>();
  return routes.flatMap(({ id }, index) => {
    const before = first.get(id);
    if (before === undefined) first.set(id, index);
    return before === undefined ? [] : [{ path: [index], message: `has the id ${id} of routes[${before}]` }];
  });
}

/** A route is unreachable when one that is looked at before it, on the same path, takes all that it would take. */
function unreachable(routes: readonly Route[]): Contradiction[] {
  const found: Contradiction[] = [];
  const samePath = Map.groupBy(byCloseness(routes.map((route, index) => ({ ...route, index }))), (route) =>
    pathKey(route),
  );
  for (const group of samePath.values()) {
    group.forEach((route, at) => {
      const before = group.slice(0, at).find((other) => takesAll(other, route));
      if (before === undefined) return;
      const path = [route.index, 'match'];
      const equal = takesAll(route, before);
      const message = equal
        ? `is there twice: routes[${before.index}] matches the same requests`
        : `is never reached: routes[${before.index}] takes all of its requests`;
      found.push({ path, message });
    });
  }
  return found;
}

/** A route whose service stands in the path leaves the bare prefix to others. */
function takesAll(one: Route, other: Route): boolean {
  return (one.service !== '*' || other.service === '*') && covers(one.match, other.match);
}

/** Equal for patterns that match the same paths: names of parameters do not count. */
function pathKey(route: Route): string {
  const { kind, segments } = patternOf(route);
  return [kind, ...segments.map((segment) => (isParameter(segment) ? ':' : segment))].join('/');
}
