import type { CallPermit } from './call-permit.ts';
import type { Circuit } from './circuit.ts';

declare function setTimeout(callback: () => void, delayMs: number): unknown;
declare function clearTimeout(timer: unknown): void;

/** Listens for an abort. @returns the way to stop. */
export type Listen = (listener: () => void) => () => void;

/** The longest delay that timers know, in milliseconds. */
const longestDelayMs = 2 ** 31 - 1;

interface Waiter {
  readonly settle: (permit: CallPermit | undefined) => void;
}

/**
 * Where surplus calls wait for the verdict of the trials, first come, first served, and no more than `most` of them. It wakes up
 * with every change of the circuit, and once when the trials' leases run out (the only timer, set while somebody waits).
 */
export class WaitingRoom {
  readonly #most: number;
  readonly #circuit: Circuit;
  readonly #waiters = new Set<Waiter>();
  #leave: (() => void) | undefined;
  #timer: unknown;
  #serving = false;

  constructor(most: number, circuit: Circuit) {
    this.#most = most;
    this.#circuit = circuit;
  }

  /** Whether a call that the circuit would refuse now may wait here: for a verdict, and there is room. */
  get mayWait(): boolean {
    if (this.#waiters.size >= this.#most) return false;
    return this.#circuit.state === 'half-open' && !this.#circuit.available;
  }

  /** A permit; undefined when the verdict is a refusal, or when the abort that `listen` listens for came first. */
  wait(listen: Listen | undefined): Promise<CallPermit | undefined> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        settle: (permit) => {
          stop?.();
          resolve(permit);
        },
      };
      const stop = listen?.(() => {
        this.#remove(waiter);
        waiter.settle(undefined);
      });
      this.#waiters.add(waiter);
      this.#leave ??= this.#circuit.journal.listen('change', () => {
        this.#serve();
      });
      this.#setTimer();
    });
  }

  /** Serves as long as the circuit has an answer for the first one. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    for (const waiter of this.#waiters) {
      if (this.#circuit.state === 'half-open' && !this.#circuit.available) break;
      this.#waiters.delete(waiter);
      waiter.settle(this.#circuit.acquire());
    }
    this.#serving = false;
    if (this.#waiters.size === 0) this.#close();
    else this.#setTimer();
  }

  #setTimer(): void {
    const { leaseLeftMs } = this.#circuit;
    clearTimeout(this.#timer);
    this.#timer =
      leaseLeftMs === undefined
        ? undefined
        : setTimeout(
            () => {
              this.#serve();
            },
            Math.min(Math.ceil(leaseLeftMs), longestDelayMs),
          );
  }

  #remove(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#close();
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#leave?.();
    this.#leave = undefined;
  }
}
