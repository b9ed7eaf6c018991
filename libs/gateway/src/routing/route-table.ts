import { closeness, predicatesOf, type Predicate } from './conditions.ts';
import type { MatchRequest } from './match-request.ts';
import { isParameter, readPattern, type PathPattern } from './path-pattern.ts';
import type { Route } from './route-schema.ts';

export { isServiceName } from './service-name.ts';

/** A route in the form in which it is looked for. */
export interface Entry {
  readonly route: Route;
  readonly pattern: PathPattern;
  /** undefined: every method. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly predicates: readonly Predicate[];
  /** The path names the service. */
  readonly isDynamic: boolean;
}

interface Node {
  /** Nothing is below. */
  isLeaf: boolean;
  readonly literals: Map<string, Node>;
  parameter: Node | undefined;
  /** Routes of this path and no other; closest first. */
  readonly exact: Entry[];
  /** Routes of this path and what is below it; closest first. */
  readonly prefix: Entry[];
}

/**
 * Which route a request takes. A table never changes; a new configuration is a new table.
 *
 * The closest route wins, whatever the order in which they are written: segment by segment of the path a plain one before `:name`, more of
 * them before fewer, a whole path before a prefix; of equal paths a whole host before `*.host` before none, then more conditions before
 * fewer (headers, query, cookie), then with methods before without; only then the one that is written first.
 */
export class RouteTable {
  readonly routes: readonly Route[];
  readonly #root: Node = emptyNode();

  /** @param routes as `readRoutes` gives them. */
  constructor(routes: readonly Route[]) {
    this.routes = Object.freeze([...routes]);
    for (const route of byCloseness(routes)) {
      const entry = toEntry(route);
      place(this.#root, entry.pattern)[entry.pattern.kind].push(entry);
    }
  }

  /** The route of a request whose target has no fault. */
  match(request: MatchRequest): Entry | undefined {
    return find(this.#root, 0, request.target.normalised, request, takes);
  }

  /**
   * The routes that a request may take whose header fields, and so its cookies, are not known yet: closest first, down to one that does not
   * look at them.
   */
  candidates(request: MatchRequest): Route[] {
    const found: Route[] = [];
    find(this.#root, 0, request.target.normalised, request, ({ route, methods }) => {
      const { headers, cookie, ...known } = route.match;
      if (methods?.has(request.method) === false) return false;
      if (!predicatesOf(known).every((holds) => holds(request))) return false;
      found.push(route);
      return headers === undefined && cookie === undefined;
    });
    return found;
  }

  /** Methods with which the request would have found a route, sorted; empty when no method would. */
  methodsFor(request: MatchRequest): string[] {
    const found = new Set<string>();
    find(this.#root, 0, request.target.normalised, request, (entry) => {
      if (entry.predicates.every((holds) => holds(request)))
        entry.methods?.forEach((name) => found.add(name));
      return false;
    });
    return [...found].sort();
  }
}

/** Whether a request takes an entry whose path it has. */
type Accepts = (entry: Entry, request: MatchRequest) => boolean;

/** The plainest way first, then back. A table bounds the walk: no node is seen twice. `at` is the end of what was walked. */
function find(
  node: Node,
  at: number,
  path: string,
  request: MatchRequest,
  accepts: Accepts,
): Entry | undefined {
  if (at === path.length) {
    return first(node.exact, request, accepts, false) ?? first(node.prefix, request, accepts, false);
  }
  const below = node.isLeaf ? undefined : findBelow(node, at, path, request, accepts);
  return below ?? first(node.prefix, request, accepts, true);
}

function findBelow(
  { literals, parameter }: Node,
  at: number,
  path: string,
  request: MatchRequest,
  accepts: Accepts,
): Entry | undefined {
  const slash = path.indexOf('/', at + 1);
  const end = slash === -1 ? path.length : slash;
  const literal = literals.get(path.slice(at + 1, end));
  const found = literal && find(literal, end, path, request, accepts);
  if (found !== undefined || parameter === undefined || end === at + 1) return found;
  return find(parameter, end, path, request, accepts);
}

/** @param hasRest there is more of the path: a service that the path names needs a name. */
function first(
  entries: readonly Entry[],
  request: MatchRequest,
  accepts: Accepts,
  hasRest: boolean,
): Entry | undefined {
  for (const entry of entries) {
    if ((hasRest || !entry.isDynamic) && accepts(entry, request)) return entry;
  }
  return undefined;
}

function takes({ methods, predicates }: Entry, request: MatchRequest): boolean {
  if (methods !== undefined && !methods.has(request.method)) return false;
  for (const holds of predicates) if (!holds(request)) return false;
  return true;
}

function toEntry(route: Route): Entry {
  const { methods } = route.match;
  return {
    route,
    pattern: patternOf(route),
    methods: methods && new Set(methods),
    predicates: predicatesOf(route.match),
    isDynamic: route.service === '*',
  };
}

/** The path pattern of a route. */
export function patternOf({ match: { prefix, path } }: Pick<Route, 'match'>): PathPattern {
  return prefix === undefined ? readPattern('exact', path ?? '/') : readPattern('prefix', prefix);
}

/** The routes, closest first among those of one path. The sort is stable: what is equal stays as written. */
export function byCloseness<R extends Pick<Route, 'match'>>(routes: readonly R[]): R[] {
  return routes
    .map((route) => ({ route, weights: closeness(route.match) }))
    .sort((one, other) => compare(other.weights, one.weights))
    .map(({ route }) => route);
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (const [index, weight] of one.entries()) {
    const difference = weight - (other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function place(root: Node, { segments }: PathPattern): Node {
  let node = root;
  for (const segment of segments) {
    node.isLeaf = false;
    if (isParameter(segment)) node = node.parameter ??= emptyNode();
    else {
      const next = node.literals.get(segment) ?? emptyNode();
      node.literals.set(segment, next);
      node = next;
    }
  }
  return node;
}

function emptyNode(): Node {
  return { isLeaf: true, literals: new Map(), parameter: undefined, exact: [], prefix: [] };
}
