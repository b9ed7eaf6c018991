import type { Clock } from '@mesh/discovery-client';
import { HttpProblem } from '@mesh/problem';
import type { Caller } from './access.ts';
import { integerOption } from './options.ts';

/** Options of a {@link Quota}. */
export interface QuotaOptions {
  /** Requests a second that a caller may send in the long run. Default 1000. */
  readonly requestsPerSecond?: number;
  /** Requests it may send at once after a pause. Default twice `requestsPerSecond`. */
  readonly burst?: number;
  /** Streams and long polls it may hold open. Default 1000. */
  readonly streams?: number;
  /** Whether callers on this machine count, too: they are all one caller. Default false. */
  readonly isLocalLimited?: boolean;
  readonly clock?: Clock;
}

interface Account {
  tokens: number;
  atMs: number;
  streams: number;
}

/** Callers that are remembered; of more, the one that was quiet longest begins anew. */
const maximumCallers = 10_000;

/** A token bucket, and a count of open streams, for each caller. */
export class Quota {
  readonly #perMs: number;
  readonly #requestsPerSecond: number;
  readonly #burst: number;
  readonly #streams: number;
  readonly #isLocalLimited: boolean;
  readonly #clock: Clock;
  /** The one that asked last is last. */
  readonly #accounts = new Map<string, Account>();

  /** @throws RangeError naming an option that is out of range. */
  constructor(options: QuotaOptions = {}) {
    const { requestsPerSecond = 1000, streams = 1000, isLocalLimited = false, clock = performance } = options;
    const { burst = requestsPerSecond * 2 } = options;
    this.#requestsPerSecond = integerOption('quota: requestsPerSecond', requestsPerSecond, 1, 10_000_000);
    this.#burst = integerOption('quota: burst', burst, 1, 20_000_000);
    this.#streams = integerOption('quota: streams', streams, 0, 1_000_000);
    this.#perMs = this.#requestsPerSecond / 1000;
    this.#isLocalLimited = isLocalLimited;
    this.#clock = clock;
  }

  /** @throws HttpProblem `ERR_RATE_LIMITED` when the caller has sent too many requests. */
  charge(caller: Caller): void {
    if (caller.isLocal && !this.#isLocalLimited) return;
    const account = this.#account(caller.name);
    if (account.tokens >= 1) {
      account.tokens -= 1;
      return;
    }
    const detail = `${caller.name} sends more than ${this.#requestsPerSecond} requests a second`;
    throw new HttpProblem('ERR_RATE_LIMITED', detail, { retryAfterMs: (1 - account.tokens) / this.#perMs });
  }

  /**
   * Counts a stream until the function it answers is called.
   *
   * @throws HttpProblem `ERR_RATE_LIMITED` when the caller holds too many open.
   */
  openStream(caller: Caller): () => void {
    if (caller.isLocal && !this.#isLocalLimited) return () => undefined;
    const account = this.#account(caller.name);
    if (account.streams >= this.#streams) {
      const detail = `${caller.name} holds ${this.#streams} streams open already`;
      throw new HttpProblem('ERR_RATE_LIMITED', detail, { retryAfterMs: 5000 });
    }
    account.streams += 1;
    let isOpen = true;
    return () => {
      if (isOpen) account.streams -= 1;
      isOpen = false;
    };
  }

  #account(name: string): Account {
    const now = this.#clock.now();
    const account = this.#accounts.get(name) ?? { tokens: this.#burst, atMs: now, streams: 0 };
    account.tokens = Math.min(this.#burst, account.tokens + (now - account.atMs) * this.#perMs);
    account.atMs = now;
    this.#accounts.delete(name);
    this.#accounts.set(name, account);
    if (this.#accounts.size > maximumCallers) this.#forgetOne();
    return account;
  }

  /** Whoever holds streams is remembered: their count would be lost. */
  #forgetOne(): void {
    for (const [name, { streams }] of this.#accounts) {
      if (streams > 0) continue;
      this.#accounts.delete(name);
      return;
    }
  }
}
