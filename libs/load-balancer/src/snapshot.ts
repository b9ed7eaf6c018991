import type { Endpoint } from './endpoint.ts';
import type { Member } from './member.ts';

/** Why an endpoint gets its share, or does not. */
export type EndpointState =
  /** Gets its share. */
  | 'available'
  /** Says of itself that it is not available. */
  | 'unavailable'
  /** Slow start: gets a part of its share. */
  | 'warming'
  /** Asked to be left alone (`retryAfterMs`). */
  | 'resting'
  /** Taken out. */
  | 'ejected'
  /** Was taken out, and gets one request at a time until one succeeds. */
  | 'half-open';

/** What is known about one endpoint now. */
export interface EndpointSnapshot {
  readonly id: string;
  readonly weight: number;
  /** Open leases. */
  readonly inflight: number;
  /** What the endpoint says of itself. */
  readonly available: boolean;
  /** What the balancer makes of it. */
  readonly state: EndpointState;
  /** Average response time, ms; undefined before the first answer. */
  readonly latencyMs: number | undefined;
  /** Leases given since the endpoint became known. */
  readonly picks: number;
}

export function snapshotOf<E extends Endpoint>(member: Member<E>, nowMs: number): EndpointSnapshot {
  const { id, weight, inflight, available, latencyMs, load } = member;
  return { id, weight, inflight, available, state: stateOf(member, nowMs), latencyMs, picks: load.picks };
}

function stateOf<E extends Endpoint>({ available, load }: Member<E>, nowMs: number): EndpointState {
  if (!available) return 'unavailable';
  if (load.conduct?.state === 'out') return load.conduct.isHalfOpen(nowMs) ? 'half-open' : 'ejected';
  if (nowMs < load.restUntilMs) return 'resting';
  return load.warmSinceMs === undefined ? 'available' : 'warming';
}
