import type { Endpoint } from './endpoint.ts';
import { hashOf, mix } from './hash.ts';
import { numberIn } from './options.ts';

/** What `subset` of a balancer takes. */
export interface SubsetOptions {
  /** Names the caller: the same caller gets the same endpoints, another caller others. */
  readonly clientId: string;
  /** Most endpoints to use; default 12 (the smallest aperture of Finagle). */
  readonly size?: number;
}

/**
 * The endpoints that rank highest for a caller: of many callers each uses a few, all endpoints are used alike, and an
 * endpoint that comes or goes changes at most one of each caller's (rendezvous hashing; gRPC proposal A68).
 *
 * @throws RangeError when the size makes no sense.
 */
export function subsetOf<E extends Endpoint>(
  endpoints: readonly E[],
  { clientId, size = 12 }: SubsetOptions,
): readonly E[] {
  numberIn('subset.size', size, 1);
  if (endpoints.length <= size) return endpoints;
  const seed = hashOf(clientId);
  const ranked = endpoints
    .map((endpoint) => ({ endpoint, rank: mix(hashOf(endpoint.id) ^ seed) }))
    .sort((a, b) => b.rank - a.rank || (a.endpoint.id < b.endpoint.id ? -1 : 1));
  const chosen = new Set(ranked.slice(0, size).map(({ endpoint }) => endpoint));
  return endpoints.filter((endpoint) => chosen.has(endpoint));
}
