import type { z } from 'zod';
import { pathText, RouteConfigError, type RouteFault } from './config-error.ts';
import { SourceText } from './positions.ts';
import { contradictions, type Contradiction } from './route-faults.ts';
import { routesSchema, type Route, type RoutesInput } from './route-schema.ts';

/** What {@link readRoutes} takes beside the routes. */
export interface ReadRoutesOptions {
  /** Name of the file, for the faults. */
  readonly file?: string;
  /** Finds more faults in routes that are well formed; a gateway asks here whether it has the policies that they name. */
  readonly verify?: (routes: readonly Route[]) => readonly Contradiction[];
}

/**
 * Reads routes: YAML, JSON, or the same as an object. The result is checked, has the defaults in every route, and is frozen.
 *
 * @throws RouteConfigError (`ERR_CONFIG`) with everything that is wrong, each with file, line, column, path and what is expected.
 * @example readRoutes('routes: [{ match: { prefix: /shop }, service: shop }]', { file: 'routes.yaml' })
 */
export function readRoutes(
  source: string | RoutesInput,
  { file, verify }: ReadRoutesOptions = {},
): readonly Route[] {
  const text = typeof source === 'string' ? new SourceText(source, file) : undefined;
  if (text !== undefined && text.faults.length > 0) throw new RouteConfigError(text.faults);
  const fail = (faults: readonly PathFault[]): never => {
    throw new RouteConfigError(faults.map((fault) => locate(fault, text, file)));
  };

  const parsed = routesSchema.safeParse(text === undefined ? source : text.value);
  if (!parsed.success) return fail(unique(parsed.error.issues.flatMap(toFaults)));
  const { defaults = {}, routes } = parsed.data;
  const whole = routes.map((route) => withDefaults(defaults, route));
  const own = contradictions(whole);
  const found = own.length > 0 ? own : (verify?.(deepFreeze(whole)) ?? []);
  if (found.length > 0) fail(found.map(({ path, message }) => ({ path: ['routes', ...path], message })));
  return deepFreeze(whole);
}

interface PathFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type Parsed = z.output<typeof routesSchema>;

/** A route's own settings win whole; of `timeouts` each of the three for itself. */
function withDefaults(defaults: NonNullable<Parsed['defaults']>, route: Parsed['routes'][number]): Route {
  const timeouts = { ...defaults.timeouts, ...route.timeouts };
  return {
    ...defaults,
    ...route,
    ...(Object.keys(timeouts).length > 0 && { timeouts }),
    id: route.id ?? idOf(route.match),
  };
}

/** The match as a text: `GET,POST shop.example/orders/:id`, `/api/*?beta=1`. */
function idOf({ methods, host = '', prefix, path, headers, query, cookie }: Route['match']): string {
  const place = prefix === undefined ? (path ?? '') : prefix === '/' ? '/*' : `${prefix}/*`;
  const conditions = Object.entries({ headers, query, cookie }).flatMap(([kind, all]) =>
    Object.entries(all ?? {}).map(
      ([name, condition]) => `${kind}.${name}=${Object.values(condition).join()}`,
    ),
  );
  const what = [methods?.join(), host + place].filter((part) => part !== undefined).join(' ');
  const whole = conditions.length === 0 ? what : `${what} [${conditions.join(' ')}]`;
  return whole.replace(/\p{Cc}/gu, '?').slice(0, 500);
}

/** A key that is unknown is a fault of that key, not of the object around it. */
function toFaults(issue: z.core.$ZodIssue): PathFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not known here' }));
  }
  if (issue.code === 'invalid_union') {
    // The branch that got furthest says it best: an object that is nearly right, not "must be false".
    const furthest = issue.errors.filter((issues) => issues.some(({ path }) => path.length > 0));
    const [only] = furthest;
    if (furthest.length === 1 && only !== undefined) {
      return only.flatMap((inner) => toFaults({ ...inner, path: [...issue.path, ...inner.path] }));
    }
    const unknown = issue.errors.flat().find(({ code }) => code === 'unrecognized_keys');
    if (unknown !== undefined) return toFaults({ ...unknown, path: [...issue.path, ...unknown.path] });
  }
  return [{ path: issue.path, message: plain(issue.message) }];
}

/** Zod's own words where a schema has none of ours: "Invalid input: expected array, received string". */
function plain(message: string): string {
  const [, expected] = /expected (\w+)/.exec(message) ?? [];
  return expected !== undefined && message.startsWith('Invalid input') ? `must be: ${expected}` : message;
}

function locate(
  { path, message }: PathFault,
  text: SourceText | undefined,
  file: string | undefined,
): RouteFault {
  const place = text === undefined ? (file === undefined ? {} : { file }) : text.position(path);
  return { ...place, path: pathText(path), message };
}

function unique(faults: readonly PathFault[]): PathFault[] {
  return [...new Map(faults.map((fault) => [`${pathText(fault.path)} ${fault.message}`, fault])).values()];
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
