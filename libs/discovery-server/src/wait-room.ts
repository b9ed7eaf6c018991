import type { Random, Timers } from '@mesh/discovery-client';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';

/** Callers that wait for the next change of a service, each at most for a time. Nobody waits: no timer, no listener. */
export class WaitRoom {
  readonly #registry: Registry;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #maximum: number;
  /** By service; undefined: for a change of any. */
  readonly #waiting = new Map<string | undefined, Set<() => void>>();
  #size = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(registry: Registry, timers: Timers, random: Random, maximum: number) {
    this.#registry = registry;
    this.#timers = timers;
    this.#random = random;
    this.#maximum = maximum;
  }

  /** Number of callers that wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Waits until the service (undefined: any) changes, and up to a sixteenth longer than asked when it does not: whoever began together shall
   * not ask again together.
   *
   * @throws RegistryError `ERR_UNAVAILABLE` when too many wait.
   */
  wait(service: string | undefined, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#size >= this.#maximum) {
      throw new RegistryError('ERR_UNAVAILABLE', `${this.#maximum} callers wait already`, 5000);
    }
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#timers.clear(timer);
        signal.removeEventListener('abort', leave);
        this.#leave(service, leave);
        resolve();
      };
      const timer = this.#timers.set(leave, ms * (1 + this.#random() / 16));
      signal.addEventListener('abort', leave, { once: true });
      this.#enter(service, leave);
    });
  }

  /** Lets everybody go. */
  close(): void {
    for (const waiting of this.#waiting.values()) for (const leave of [...waiting]) leave();
  }

  #enter(service: string | undefined, leave: () => void): void {
    const waiting = this.#waiting.get(service) ?? new Set();
    this.#waiting.set(service, waiting.add(leave));
    this.#size += 1;
    this.#unsubscribe ??= this.#registry.subscribe((change) => {
      for (const service of [change.service, undefined])
        for (const call of [...(this.#waiting.get(service) ?? [])]) call();
    });
  }

  #leave(service: string | undefined, leave: () => void): void {
    const waiting = this.#waiting.get(service);
    if (waiting?.delete(leave) !== true) return;
    this.#size -= 1;
    if (waiting.size === 0) this.#waiting.delete(service);
    if (this.#size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }
}
