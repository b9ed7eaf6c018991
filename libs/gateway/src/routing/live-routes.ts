import { HttpProblem } from '@mesh/problem';
import { isDeepStrictEqual } from 'node:util';
import { readPreflight, type Preflight } from '../auth/cors.ts';
import type { Lane } from '../lane/lane.ts';
import type { MatchRequest } from './match-request.ts';
import { afterSegments, isParameter, rewritePath, type PathPattern } from './path-pattern.ts';
import { readRoutes } from './read-routes.ts';
import { encodedSlashFault, readTarget, targetFault, type RequestTarget } from './request-target.ts';
import type { Contradiction } from './route-faults.ts';
import type { Route, RoutesInput } from './route-schema.ts';
import { RouteTable, type Entry } from './route-table.ts';
import { isServiceName } from './service-name.ts';

/** A request with its route. */
export interface Found {
  readonly lane: Lane;
  readonly target: RequestTarget;
  /** The service that the path names; empty when the way names it. */
  readonly service: string;
  /** Path and query for the instance. */
  readonly path: string;
}

/** A request that is the gateway's to answer, without an instance. */
export interface Refused {
  readonly problem: HttpProblem;
  /** For the field `Allow`. */
  readonly allow?: string;
}

/** A request that should come again with a plainer path. */
export interface Redirected {
  readonly redirect: string;
}

/** A question of a browser, which is answered before anything else: it comes without credentials. */
export interface Answered {
  /** The fields of the answer; without those of CORS, the page may not. */
  readonly preflight: Readonly<Record<string, string>>;
}

/** What is the gateway's to do with a request. */
export type Claim = Found | Refused | Redirected | Answered;

/** The routes of one configuration, ready for requests; never changed, only replaced. */
export class LiveRoutes {
  readonly routes: readonly Route[];
  readonly #table: RouteTable;
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #hasCors: boolean;

  private constructor(routes: readonly Route[], lanes: ReadonlyMap<string, Lane>) {
    this.routes = routes;
    this.#table = new RouteTable(routes);
    this.#lanes = lanes;
    this.#hasCors = routes.some(({ cors }) => cors);
  }

  /** Reads routes and makes the lane of each. @throws RouteConfigError, also for what `toLane` does not like. */
  static read(
    source: string | RoutesInput,
    file: string | undefined,
    toLane: (route: Route) => Lane,
  ): LiveRoutes {
    const lanes = new Map<string, Lane>();
    const verify = (routes: readonly Route[]): Contradiction[] =>
      routes.flatMap((route, index) => {
        try {
          lanes.set(route.id, toLane(route));
          return [];
        } catch (error) {
          return [{ path: [index], message: (error as Error).message }];
        }
      });
    const routes = readRoutes(source, { verify, ...(file !== undefined && { file }) });
    return new LiveRoutes(routes, lanes);
  }

  /** The lane of a route. */
  laneOf(id: string): Lane | undefined {
    return this.#lanes.get(id);
  }

  /** Names of the branches of a route's split that were turned off. */
  turnedOff(id: string): readonly string[] {
    return this.#lanes.get(id)?.split?.turnedOff ?? [];
  }

  /** Every service that a route names. */
  get services(): string[] {
    return [...this.#lanes.values()].flatMap(({ ways }) => ways.flatMap(({ service }) => service ?? []));
  }

  /** What is to be done with a request; undefined: it is not the gateway's. */
  claim(request: MatchRequest): Claim | undefined {
    const fault = targetFault(request.target, true);
    if (fault !== undefined) return refused('ERR_BAD_REQUEST', `Not forwarded: ${fault}.`);
    const preflight = this.#hasCors ? readPreflight(request.method, request.rawHeaders) : undefined;
    const answered = preflight && this.#answer(request, preflight);
    if (answered !== undefined) return answered;
    const entry = this.#table.match(request);
    if (entry === undefined) return this.#wrongMethod(request);
    const slash = encodedSlashFault(request.target);
    const claim = slash === undefined ? undefined : slashClaim(entry.route, request.target, slash);
    return claim ?? this.#found(entry, request.target);
  }

  /**
   * A preflight carries none of the fields of the request that it asks for. So a page may do what every route allows that this request could
   * take; when none of them has rules, the question is for the instance.
   */
  #answer(request: MatchRequest, preflight: Preflight): Answered | undefined {
    const lanes = this.#table
      .candidates({ ...request, method: preflight.method })
      .flatMap(({ id }) => this.#lanes.get(id) ?? []);
    const [first, ...others] = lanes;
    if (!lanes.some(({ cors }) => cors !== undefined)) return undefined;
    const agree = others.every(({ route }) => isDeepStrictEqual(route.cors, first?.route.cors));
    return { preflight: (agree && first?.cors?.preflightFields(preflight)) || {} };
  }

  #found(entry: Entry, target: RequestTarget): Claim {
    const lane = this.#lanes.get(entry.route.id);
    if (lane === undefined) throw new Error(`gateway: route ${entry.route.id} has no lane`);
    const { isDynamic } = entry;
    if (!isPlainly(entry.pattern, target, isDynamic)) {
      return refused(
        'ERR_BAD_REQUEST',
        'Not forwarded: what names the route must be written without escapes.',
      );
    }
    const service = isDynamic ? serviceIn(target, entry.pattern.segments.length) : '';
    if (isDynamic && !isServiceName(service))
      return refused('ERR_SERVICE_UNKNOWN', 'No service has this name.');
    const path = isDynamic
      ? afterSegments(target, entry.pattern.segments.length + 1) || '/'
      : rewritePath(entry.pattern, entry.route.rewrite, target);
    if (path.startsWith('//'))
      return refused('ERR_BAD_REQUEST', 'Not forwarded: the path must not start with "//".');
    return { lane, target, service, path: path + target.query };
  }

  #wrongMethod(request: MatchRequest): Refused | undefined {
    const allow = this.#table.methodsFor(request).join(', ');
    if (allow === '') return undefined;
    const detail = `${request.method} is not allowed here, ${allow} is`;
    return { problem: new HttpProblem('ERR_METHOD_NOT_ALLOWED', detail), allow };
  }
}

function refused(code: string, detail: string): Refused {
  return { problem: new HttpProblem(code, detail) };
}

/** What a route does with an escaped slash; undefined: it keeps it. */
function slashClaim({ paths }: Route, { path, query }: RequestTarget, fault: string): Claim | undefined {
  const action = paths?.encodedSlash ?? 'reject';
  if (action === 'keep') return undefined;
  const plain = path.replace(/%2f/gi, '/') + query;
  // Not to another host ("//evil"), and not for what would only be refused there.
  if (action === 'redirect' && targetFault(readTarget(plain)) === undefined) return { redirect: plain };
  return refused('ERR_BAD_REQUEST', `Not forwarded: ${fault}.`);
}

/**
 * Whether the segments that decide about the route are written as they are meant. Whoever reads the path before us, such as a hook with a
 * rule for `/api/admin`, reads its bytes.
 */
function isPlainly(
  { segments }: PathPattern,
  { path, normalised }: RequestTarget,
  isDynamic: boolean,
): boolean {
  if (path.length === normalised.length) return true;
  const raw = path.split('/');
  const checked = normalised.split('/');
  const isSame = (index: number): boolean => raw[index + 1] === checked[index + 1];
  return (
    segments.every((segment, index) => isParameter(segment) || isSame(index)) &&
    (!isDynamic || isSame(segments.length))
  );
}

/** The segment of the checked copy that names the service. */
function serviceIn({ normalised }: RequestTarget, index: number): string {
  return normalised.split('/', index + 2)[index + 1] ?? '';
}
