import type { MonitoredTarget } from './monitored-target.ts';
import type { ReadTarget } from './target.ts';

/** Targets by id and by service. */
export class Watchlist implements Iterable<MonitoredTarget> {
  readonly #byId = new Map<string, MonitoredTarget>();
  readonly #byService = new Map<string, Set<MonitoredTarget>>();

  get size(): number {
    return this.#byId.size;
  }

  [Symbol.iterator](): Iterator<MonitoredTarget> {
    return this.#byId.values();
  }

  get(id: string): MonitoredTarget | undefined {
    return this.#byId.get(id);
  }

  of(service: string): Iterable<MonitoredTarget> {
    return this.#byService.get(service) ?? [];
  }

  siblingsOf(target: MonitoredTarget): readonly MonitoredTarget[] {
    return [...this.of(target.service)].filter((one) => one !== target);
  }

  add(target: MonitoredTarget): void {
    this.#byId.set(target.id, target);
    this.#enlist(target);
  }

  /** Gives a known target new options. @returns whether there was one. */
  renew(options: ReadTarget): boolean {
    const target = this.#byId.get(options.id);
    if (target === undefined) return false;
    this.#delist(target);
    target.renew(options);
    this.#enlist(target);
    return true;
  }

  remove(id: string): MonitoredTarget | undefined {
    const target = this.#byId.get(id);
    if (target === undefined) return undefined;
    this.#byId.delete(id);
    this.#delist(target);
    return target;
  }

  /** A target that is down, or all targets of a service of which every one is; none when it is not out. */
  outOf(name: string): readonly MonitoredTarget[] {
    const target = this.#byId.get(name);
    const all = target === undefined ? [...this.of(name)] : [target];
    return all.every(({ status }) => status === 'down') ? all : [];
  }

  #enlist(target: MonitoredTarget): void {
    const peers = this.#byService.get(target.service);
    if (peers === undefined) this.#byService.set(target.service, new Set([target]));
    else peers.add(target);
  }

  #delist(target: MonitoredTarget): void {
    const peers = this.#byService.get(target.service);
    peers?.delete(target);
    if (peers?.size === 0) this.#byService.delete(target.service);
  }
}
