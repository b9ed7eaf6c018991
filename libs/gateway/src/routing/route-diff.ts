import { isDeepStrictEqual } from 'node:util';
import type { Route } from './route-schema.ts';

/** What a new configuration changes; ids of routes, in the order in which they are written. */
export interface RouteDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** Compares two lists of routes by their ids. The order of writing is no difference, where it is none for the requests. */
export function diffRoutes(before: readonly Route[], after: readonly Route[]): RouteDiff {
  const old = new Map(before.map((route) => [route.id, route]));
  const kept = new Set(after.map(({ id }) => id));
  return {
    added: after.flatMap(({ id }) => (old.has(id) ? [] : [id])),
    removed: before.flatMap(({ id }) => (kept.has(id) ? [] : [id])),
    changed: after.flatMap((route) => {
      const one = old.get(route.id);
      return one === undefined || isDeepStrictEqual(one, route) ? [] : [route.id];
    }),
  };
}
