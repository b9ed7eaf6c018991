import type { Timers } from '@mesh/discovery-client';
import type { SimTime } from './sim-time.ts';

/** A process, and its cable to the registry: it can be stopped, killed, and cut off. */
export class SimHost {
  readonly address: string;
  isAlive = true;
  /** Nothing comes through, in either direction, and nobody is told. */
  isCut = false;
  readonly #time: SimTime;
  readonly #deferred: (() => void)[] = [];
  readonly #atHeal: (() => void)[] = [];
  readonly #atDeath = new Set<() => void>();
  #isStopped = false;

  constructor(time: SimTime, address: string) {
    this.#time = time;
    this.address = address;
  }

  /** Timers of this process: silent when it is dead, late when it was stopped. */
  readonly timers: Timers = {
    set: (callback, delayMs) =>
      this.#time.set(() => {
        this.run(callback);
      }, delayMs),
    clear: (handle) => {
      this.#time.clear(handle);
    },
  };

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Does something in this process: now, when it goes on, or never. */
  run(action: () => void): void {
    if (!this.isAlive) return;
    if (this.#isStopped) this.#deferred.push(action);
    else action();
  }

  /** SIGSTOP. */
  stop(): void {
    this.#isStopped = true;
  }

  /** SIGCONT. */
  continue(): void {
    this.#isStopped = false;
    for (const action of this.#deferred.splice(0)) action();
  }

  /** SIGKILL: the kernel closes what it had open. */
  kill(): void {
    this.isAlive = false;
    for (const close of [...this.#atDeath]) close();
    this.#atDeath.clear();
  }

  /** The cable is there again: what was retransmitted all the time comes through. */
  heal(): void {
    this.isCut = false;
    for (const action of this.#atHeal.splice(0)) action();
  }

  /** Now, or when the cable is there. */
  whenConnected(action: () => void): void {
    if (this.isCut) this.#atHeal.push(action);
    else action();
  }

  /** @returns what takes it back. */
  onDeath(close: () => void): () => void {
    this.#atDeath.add(close);
    return () => {
      this.#atDeath.delete(close);
    };
  }
}
