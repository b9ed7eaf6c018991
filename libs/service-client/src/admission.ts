import type { Outcome, Permit } from '@mesh/circuit-breaker';
import type { Lease } from '@mesh/load-balancer';
import type { GuardedInstance } from './guarded-instance.ts';

/** The right to send one request to one instance; settled at the response headers, released at the end of the body. */
export class Admission {
  /** Id of the instance. */
  readonly instance: string;
  /** `http://host:port` of the instance. */
  readonly origin: string;
  readonly #permit: Permit | undefined;
  readonly #lease: Lease<GuardedInstance>;
  readonly #clock: { now(): number };
  readonly #startedAt: number;
  #outcome: Outcome | undefined;
  #latencyMs: number | undefined;
  #retryAfterMs: number | undefined;

  /** `permit` is undefined when every circuit is open and the request is sent all the same. */
  constructor(lease: Lease<GuardedInstance>, permit: Permit | undefined, clock: { now(): number }) {
    this.instance = lease.endpoint.id;
    this.origin = lease.endpoint.origin;
    this.#permit = permit;
    this.#lease = lease;
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** Tells the breaker how the attempt went; the first time counts. */
  settle(outcome: Outcome, error?: Error): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    if (outcome !== 'ignored') this.#latencyMs = this.#clock.now() - this.#startedAt;
    this.#permit?.settle(outcome, error);
  }

  /** The instance asked to be left alone for so long. */
  leaveAlone(retryAfterMs: number): void {
    this.#retryAfterMs = retryAfterMs;
  }

  /** Takes the request off the instance's load; one that was never settled blames nobody. */
  release(): void {
    this.settle('ignored');
    const outcome = this.#outcome ?? 'ignored';
    this.#lease.done({
      outcome,
      ...(this.#latencyMs !== undefined && { latencyMs: this.#latencyMs }),
      ...(this.#retryAfterMs !== undefined && { retryAfterMs: this.#retryAfterMs }),
    });
  }
}
