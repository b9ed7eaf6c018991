import type { Gate, Permit } from '@mesh/circuit-breaker';
import type { Next } from './policy.ts';
import { Protection, type ExecuteOptions } from './protection.ts';
import { atLeastZero, integer, outOfRange } from './range.ts';
import { SlotPermit } from './slot-permit.ts';
import { Slots, type SlotSettings } from './slots.ts';
import { rejection } from './start.ts';
import { platformClock, platformTimers, type Clock, type Timers } from './time.ts';

/** How many; the part of the options that can be changed later. */
export interface BulkheadBounds {
  /** The most calls under way. An integer >= 1, default 10. */
  readonly maxConcurrent?: number;
  /** The most calls that wait for a slot. An integer >= 0, default 0: nobody waits. */
  readonly maxQueue?: number;
}

/** How the queue works: the same for bulkheads and adaptive limits. */
export interface QueueOptions {
  /** Name in errors. Default `'bulkhead'`. */
  readonly name?: string;
  /** The longest wait for a slot, in milliseconds. Default `Infinity`: until the caller gives up. */
  readonly maxWaitMs?: number;
  /**
   * While the oldest call has waited longer than so many milliseconds the newest goes first: under overload those are served
   * whose callers are still there. Default `Infinity`: always in order of arrival.
   */
  readonly lifoAfterMs?: number;
  /** Default `performance`. */
  readonly clock?: Clock;
  /** Default the platform's. */
  readonly timers?: Timers;
}

/** Options of a bulkhead. */
export interface BulkheadOptions extends BulkheadBounds, QueueOptions {
  /**
   * When the slot of a call that is aborted becomes free. `settled` (default): when its work has ended, so that there are never more than
   * `maxConcurrent` at work, even of work that does not listen to its signal. `aborted`: at once, so that work which hangs for ever
   * cannot hold a slot; then it may go on beside its successor.
   */
  readonly releaseOn?: 'settled' | 'aborted';
}

/**
 * Lets so many calls be under way at once, and so many wait. A place in the queue is a promise: it is served in order of arrival, and ends
 * only by its own abort or its own longest wait. Otherwise a {@link BulkheadFullError} tells that there was no place.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * const reports = bulkhead({ maxConcurrent: 4, maxQueue: 100, maxWaitMs: 2000 });
 * const report = await reports.execute(({ signal }) => render(id, signal), { signal });
 */
export class Bulkhead extends Protection implements Gate {
  readonly #slots: Slots;
  readonly #releaseOn: 'settled' | 'aborted';
  #maxQueue: number;

  constructor(options: BulkheadOptions = {}) {
    super();
    const { releaseOn = 'settled' } = options;
    if (releaseOn !== 'settled' && (releaseOn as string) !== 'aborted')
      throw outOfRange('bulkhead: releaseOn', "'settled' or 'aborted'", releaseOn);
    this.#releaseOn = releaseOn;
    const { limit, maxQueue } = readBounds(options);
    this.#maxQueue = maxQueue;
    this.#slots = new Slots({ limit, maxQueue }, readQueue('bulkhead', options));
  }

  /** Whether a call would start at once; reading it changes nothing. */
  get available(): boolean {
    return this.#slots.available;
  }

  /** Calls under way. */
  get active(): number {
    return this.#slots.active;
  }

  /** Calls that wait. */
  get queued(): number {
    return this.#slots.queued;
  }

  /** The most calls under way. */
  get maxConcurrent(): number {
    return this.#slots.limit;
  }

  /** Takes a slot at once for a call that you make yourself; `undefined` is a refusal. Settling or disposing it frees the slot. */
  tryAcquire(): Permit | undefined {
    if (!this.#slots.tryTake()) return undefined;
    return new SlotPermit(() => {
      this.#slots.release();
    });
  }

  /**
   * Waits for a slot, to hold it as long as you like: until a stream has ended.
   *
   * @throws BulkheadFullError, or the signal's reason.
   * @example
   * using slot = await bulkhead.acquire({ signal });
   */
  acquire(options?: ExecuteOptions): Promise<Permit> {
    return new Promise((resolve, reject) => {
      const hold = (): Promise<void> =>
        new Promise((done) => {
          resolve(
            new SlotPermit(() => {
              done();
            }),
          );
        });
      this.execute(hold, options).catch(reject);
    });
  }

  /** Other bounds from now on. Fewer slots interrupt nobody, a shorter queue sends nobody away. @throws RangeError */
  reconfigure(bounds: BulkheadBounds): void {
    const changed = readBounds({ maxConcurrent: this.#slots.limit, maxQueue: this.#maxQueue, ...bounds });
    this.#maxQueue = changed.maxQueue;
    this.#slots.change(changed);
  }

  layer<T>(next: Next<T>): Next<T> {
    const run = this.#releaseOn === 'settled' ? this.#untilSettled(next) : this.#untilAborted(next);
    const slots = this.#slots;
    return (call) => (slots.tryTake() ? run(call) : slots.wait(run, call));
  }

  #untilSettled<T>(next: Next<T>): Next<T> {
    const slots = this.#slots;
    // Made once: a call costs one promise and no closure.
    const resolved = (value: T): T => {
      slots.release();
      return value;
    };
    const rejected = (error: unknown): never => {
      slots.release();
      throw error;
    };
    return (call) => {
      try {
        return next(call).then(resolved, rejected);
      } catch (error) {
        // A policy of somebody else.
        slots.release();
        return rejection(error);
      }
    };
  }

  #untilAborted<T>(next: Next<T>): Next<T> {
    return (call) => {
      let free = (): void => {
        free = () => undefined;
        this.#slots.release();
      };
      const release = (): void => {
        free();
      };
      const unlisten = call.onAbort(release);
      const settled = (): void => {
        unlisten();
        release();
      };
      try {
        return next(call).finally(settled);
      } catch (error) {
        settled();
        return rejection(error);
      }
    };
  }
}

/** Makes a {@link Bulkhead}. */
export function bulkhead(options?: BulkheadOptions): Bulkhead {
  return new Bulkhead(options);
}

/** Copies and checks the options of a queue. */
export function readQueue(policy: string, options: QueueOptions): SlotSettings {
  const { name = policy, maxWaitMs = Infinity, lifoAfterMs = Infinity } = options;
  return {
    name,
    maxWaitMs: atLeastZero(`${policy}: maxWaitMs`, maxWaitMs, Infinity),
    lifoAfterMs: atLeastZero(`${policy}: lifoAfterMs`, lifoAfterMs, Infinity),
    clock: options.clock ?? platformClock,
    timers: options.timers ?? platformTimers,
  };
}

function readBounds({ maxConcurrent = 10, maxQueue = 0 }: BulkheadBounds): {
  readonly limit: number;
  readonly maxQueue: number;
} {
  return {
    limit: integer('bulkhead: maxConcurrent', maxConcurrent),
    maxQueue: integer('bulkhead: maxQueue', maxQueue, 0),
  };
}
