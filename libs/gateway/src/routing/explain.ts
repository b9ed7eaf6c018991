import type { Lane, Step } from '../lane/lane.ts';
import type { LiveRoutes } from './live-routes.ts';
import type { Route } from './route-schema.ts';
import type { RequestTarget } from './request-target.ts';
import { readTarget } from './request-target.ts';
import { stickyKey } from './split.ts';

/** A request as one describes it. */
export interface RequestDescription {
  /** Default GET. */
  readonly method?: string;
  /** Path and query. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 127.0.0.1. */
  readonly clientAddress?: string;
}

/** An instance that a request may come to. */
export interface Candidate {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** What `where` looks at; `zone` and `version` too, which win over what the metadata says of them. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly zone?: string;
  readonly version?: string;
  /** What else is known of it: state of its circuit, load. */
  readonly [more: string]: unknown;
}

/** What would happen to a request. */
export interface Explanation {
  readonly outcome: 'forwarded' | 'refused' | 'redirected' | 'preflight' | 'not-found';
  /** Why it would not be forwarded: code and words. */
  readonly reason?: { readonly code: string; readonly detail: string };
  readonly location?: string;
  /** What a preflight is answered with, before any step. */
  readonly answer?: Readonly<Record<string, string>>;
  readonly path: { readonly received: string; readonly matched: string; readonly forwarded?: string };
  readonly route?: { readonly id: string; readonly match: unknown };
  readonly service?: string;
  /** The branch, and what decided: the client (always the same) or chance (this time). */
  readonly branch?: {
    readonly name: string;
    readonly by: 'client' | 'chance';
    readonly turnedOff: readonly string[];
  };
  /** What the request goes through, in this order. */
  readonly steps?: readonly Pick<Step, 'name' | 'settings'>[];
  /** Instances that may be asked, as they are known here. */
  readonly instances?: readonly Candidate[];
}

/** Finds the route of a request as the gateway does, and tells everything of it but secrets. */
export function explain(
  live: LiveRoutes,
  { method = 'GET', url, headers = {}, clientAddress = '127.0.0.1' }: RequestDescription,
  instances: (service: string) => readonly Candidate[],
): Explanation {
  const target = readTarget(url);
  const rawHeaders = Object.entries(headers).flat();
  const path = pathsOf(target);
  const claim = live.claim({ method: method.toUpperCase(), target, rawHeaders });
  if (claim === undefined) return { outcome: 'not-found', path };
  if ('redirect' in claim) return { outcome: 'redirected', location: claim.redirect, path };
  if ('preflight' in claim) return { outcome: 'preflight', answer: claim.preflight, path };
  if ('problem' in claim) {
    const { code, message } = claim.problem;
    return { outcome: 'refused', reason: { code, detail: message }, path };
  }
  const { lane } = claim;
  const asked = { rawHeaders, clientAddress };
  const branch = lane.split && branchFor(lane, asked);
  const way = lane.ways.find(({ name }) => name === branch?.name) ?? lane.ways[0];
  const service = way.service ?? claim.service;
  return {
    outcome: 'forwarded',
    path: { ...path, forwarded: claim.path },
    route: { id: lane.route.id, match: lane.route.match },
    service,
    ...(branch !== undefined && { branch }),
    steps: lane.steps.map(({ name, settings }) => ({ name, settings: withoutSecrets(settings) })),
    instances: instances(service).filter((instance) => fits(instance, way.where)),
  };
}

function pathsOf({ path, query, normalised }: RequestTarget): { received: string; matched: string } {
  return { received: path + query, matched: normalised };
}

function branchFor(
  { split, route }: Lane,
  request: { rawHeaders: readonly string[]; clientAddress: string },
): NonNullable<Explanation['branch']> {
  const isKnown = route.sticky !== undefined && stickyKey(route.sticky, request) !== undefined;
  return {
    name: split?.choose(request).name ?? '',
    by: isKnown ? 'client' : 'chance',
    turnedOff: split?.turnedOff ?? [],
  };
}

function fits(
  { metadata = {}, zone, version }: Candidate,
  where: Readonly<Record<string, string>> = {},
): boolean {
  const known = new Map(Object.entries(metadata));
  if (zone !== undefined) known.set('zone', zone);
  if (version !== undefined) known.set('version', version);
  return Object.entries(where).every(([key, value]) => String(known.get(key)) === value);
}

const secretNames = /secret|token|passw|credential|authorization|cookie|api-?keys?|private/i;

/** A copy in which texts under names that sound secret are hidden. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      // That there are any is no secret (`credentials: true` of CORS).
      typeof inner !== 'boolean' && secretNames.test(name) ? '[hidden]' : withoutSecrets(inner),
    ]),
  );
}

/** A route as it may be shown: names that its match and its stickiness look at are no secrets, what it writes may be. */
export function shownRoute(route: Route): Route {
  const { match, sticky } = route;
  return { ...(withoutSecrets(route) as Route), match, ...(sticky !== undefined && { sticky }) };
}
