import { vary } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import type { Instance } from './instance.ts';
import type { Provider } from './provider.ts';

/** Heartbeats and their jitter: a tenth keeps the latest beat well inside the 50 % grace. */
const jitterRatio = 0.1;

/** A common beat that is this close, as a share of the interval, is not waited for: it is the one that was just sent. */
const nearRatio = 0.05;

/** Milliseconds within which heartbeats share a request; at most a tenth of an interval. */
const gatherMs = 10;

/** The most that `POST /heartbeats` takes. */
const maximumBatch = 1000;

/** A registry that takes no batches is asked again this often: it may have been replaced by one that does. */
const unsupportedRetryMs = 300_000;

interface Beat {
  readonly instance: Instance;
  readonly signal: AbortSignal;
  readonly settle: (error?: Error) => void;
}

/**
 * The heartbeats of all registrations of a client. Those of one interval come due at the same moment, and what comes due
 * together is one request where the registry takes batches.
 */
export class Heartbeats {
  readonly #settings: DiscoverySettings;
  readonly #provider: Provider;
  readonly #count: () => number;
  /** By interval. */
  readonly #dueAt = new Map<number, number>();
  #waiting: Beat[] = [];
  #retryBatchAt = -Infinity;

  /** @param count Number of registrations. */
  constructor(settings: DiscoverySettings, provider: Provider, count: () => number) {
    this.#settings = settings;
    this.#provider = provider;
    this.#count = count;
  }

  /** Milliseconds until the next heartbeat of an interval is due: the same moment for everybody who has it. */
  restMs(intervalMs: number): number {
    const now = this.#settings.clock.now();
    const left = (this.#dueAt.get(intervalMs) ?? now) - now;
    if (left > intervalMs * nearRatio) return left;
    const restMs = vary(intervalMs, jitterRatio, this.#settings.random);
    for (const [interval, dueAt] of this.#dueAt) if (dueAt < now) this.#dueAt.delete(interval);
    this.#dueAt.set(intervalMs, now + restMs);
    return restMs;
  }

  /** Says that an instance lives, as {@link Provider.heartbeat} does, together with others that say so now. */
  send(instance: Instance, signal: AbortSignal): Promise<void> {
    const { clock, timers } = this.#settings;
    const isAlone = this.#count() < 2 || clock.now() < this.#retryBatchAt;
    if (isAlone || this.#provider.heartbeats === undefined) return this.#provider.heartbeat(instance, signal);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason as Error);
      };
      const settle = (error?: Error): void => {
        signal.removeEventListener('abort', leave);
        if (error === undefined) resolve();
        else reject(error);
      };
      signal.addEventListener('abort', leave, { once: true });
      if (this.#waiting.push({ instance, signal, settle }) > 1) return;
      timers.set(
        () => {
          this.#flush();
        },
        Math.min(gatherMs, instance.heartbeatInterval * 100),
      );
    });
  }

  #flush(): void {
    const beats = this.#waiting.filter(({ signal }) => !signal.aborted);
    this.#waiting = [];
    for (let from = 0; from < beats.length; from += maximumBatch)
      void this.#sendAll(beats.slice(from, from + maximumBatch));
  }

  /** Never rejects: each beat hears how it went. */
  async #sendAll(beats: readonly Beat[]): Promise<void> {
    if (beats.length === 1) {
      this.#sendEach(beats);
      return;
    }
    const { signal, release } = whenAllAbort(beats.map((beat) => beat.signal));
    try {
      const errors = await this.#provider.heartbeats?.(
        beats.map(({ instance }) => instance),
        signal,
      );
      if (errors !== undefined) {
        for (const [at, { settle }] of beats.entries()) settle(errors[at]);
        return;
      }
      this.#retryBatchAt = this.#settings.clock.now() + unsupportedRetryMs;
      this.#sendEach(beats);
    } catch (error) {
      // What is wrong with one must not keep the others from their leases.
      const isRefused = error instanceof DiscoveryError && error.code === 'ERR_DISCOVERY_REJECTED';
      if (isRefused) this.#sendEach(beats);
      else for (const { settle } of beats) settle(error as Error);
    } finally {
      release();
    }
  }

  #sendEach(beats: readonly Beat[]): void {
    for (const { instance, signal, settle } of beats) {
      if (!signal.aborted)
        this.#provider.heartbeat(instance, signal).then(() => {
          settle();
        }, settle);
    }
  }
}

/** A signal that is aborted when the last of these is: nobody waits for the answer any more. */
function whenAllAbort(signals: readonly AbortSignal[]): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const look = (): void => {
    if (signals.every(({ aborted }) => aborted)) controller.abort(closedError());
  };
  for (const signal of signals) signal.addEventListener('abort', look);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of signals) signal.removeEventListener('abort', look);
    },
  };
}
