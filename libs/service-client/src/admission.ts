import type { Outcome, Permit } from '@mesh/circuit-breaker';
import type { Lease } from '@mesh/load-balancer';
import type { EventClock } from './event-clock.ts';
import type { GuardedInstance } from './guarded-instance.ts';

/** The right to send one request to one instance; settled at the response headers, released at the end of the body. */
export class Admission {
  /** Where the request goes; undefined for a fixed origin, which nobody guards. */
  guarded: GuardedInstance | undefined = undefined;
  startedAt = 0;
  outcome: Outcome | undefined = undefined;
  /** Time to the response head, or to the failure. */
  latencyMs: number | undefined = undefined;
  readonly clock: EventClock;
  #permit: Permit | undefined = undefined;
  #lease: Lease<GuardedInstance> | undefined = undefined;
  #retryAfterMs: number | undefined = undefined;

  constructor(clock: EventClock) {
    this.clock = clock;
  }

  /** Id of the instance. */
  get instance(): string | undefined {
    return this.guarded?.id;
  }

  /** `http://host:port` of the instance. */
  get origin(): string | undefined {
    return this.guarded?.origin;
  }

  /** `permit` is undefined when every circuit is open and the request is sent all the same. */
  grant(lease: Lease<GuardedInstance>, permit: Permit | undefined): true {
    this.guarded = lease.endpoint;
    this.startedAt = this.clock.now();
    this.#lease = lease;
    this.#permit = permit;
    return true;
  }

  /** Tells the circuit how the attempt went; the first time counts. */
  settle(outcome: Outcome, error?: Error): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    this.latencyMs = this.clock.now() - this.startedAt;
    this.#permit?.settle(outcome, error);
  }

  /** The instance asked to be left alone for so long. */
  leaveAlone(retryAfterMs: number): void {
    this.#retryAfterMs = retryAfterMs;
  }

  /** Takes the request off the instance's load; one that was never settled blames nobody. */
  release(): void {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#lease = undefined;
    this.settle('ignored');
    const outcome = this.outcome ?? 'ignored';
    const latencyMs = this.latencyMs ?? 0;
    const retryAfterMs = this.#retryAfterMs;
    if (outcome === 'ignored') lease.done();
    else
      lease.done(retryAfterMs === undefined ? { outcome, latencyMs } : { outcome, latencyMs, retryAfterMs });
  }
}
