import type { Clock, Instance, Random, Timers } from '@mesh/discovery-client';
import { DeadlineQueue } from './deadline-queue.ts';
import type { Deadlined } from './deadline-queue.ts';
import type { HealthCheck } from './health-check.ts';
import { Lanes } from './lanes.ts';
import { isProbed, probeInstance } from './probe.ts';
import type { Probe } from './probe.ts';
import type { InstanceIdentity } from './registration.ts';
import type { Registry } from './registry.ts';

/** Options of a {@link Prober}. */
export interface ProberOptions {
  /** What a check does. Default: HTTP, TCP and gRPC as registrations say. */
  readonly probe?: Probe | undefined;
  readonly clock?: Clock | undefined;
  readonly timers: Timers;
  readonly random?: Random | undefined;
  /** Whether it looks by itself, at the pace of each check (default true), or only when it is asked. */
  readonly paced?: boolean | undefined;
}

/** Checks at once; a hanging target holds one of them for its timeout. */
const maximumProbes = 64;

/** Checks that may be due and wait; with more, the rest comes a round later. */
const maximumWaiting = 100_000;

/** Milliseconds to the next check while the state is about to change. */
const edgeIntervalMs = 1000;

/** How far the times of checks vary, so that they never align. */
const jitterRatio = 0.2;

class Target implements Deadlined {
  deadline = 0;
  rank = 0;
  slot = -1;
  /** Results in a row that speak for a change of state. */
  streak = 0;
  isDown = false;
  isRunning = false;
  readonly identity: InstanceIdentity;
  readonly check: HealthCheck;

  constructor(identity: InstanceIdentity, check: HealthCheck) {
    this.identity = identity;
    this.check = check;
  }
}

/**
 * Checks the instances of a registry that ask for it, each at its own pace, and marks them `down` and up again:
 *
 *     up ──`fall` bad answers in a row──> down ──`rise` good ones in a row──> up
 *
 * A good answer is a sign of life, too, and renews the lease. One timer for all; without targets there is none.
 */
export class Prober {
  readonly #registry: Registry;
  readonly #probe: Probe;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #isPaced: boolean;
  readonly #targets = new Map<string, Target>();
  readonly #queue = new DeadlineQueue<Target>();
  readonly #lanes = new Lanes(maximumProbes, maximumWaiting);
  readonly #closing = new AbortController();
  readonly #unsubscribe: () => void;
  #timer: unknown;
  #wakesAtMs = Infinity;

  constructor(registry: Registry, options: ProberOptions) {
    this.#registry = registry;
    this.#probe = options.probe ?? probeInstance;
    this.#clock = options.clock ?? performance;
    this.#timers = options.timers;
    this.#random = options.random ?? Math.random;
    this.#isPaced = options.paced ?? true;
    this.#unsubscribe = registry.subscribe((change) => {
      if (change.type === 'upsert') this.#follow(change.instance, change.service);
      else this.#drop(`${change.service} ${change.id}`);
    });
    for (const service of registry.services()) {
      for (const instance of service.instances('any')) this.#follow(instance, service.key);
    }
  }

  /** Number of instances that are checked. */
  get size(): number {
    return this.#targets.size;
  }

  /** The check that an instance asks for and may have; undefined when there is none, or the instance is gone. */
  checkOf({ service, id, incarnation }: InstanceIdentity): HealthCheck | undefined {
    const target = this.#targets.get(`${service} ${id}`);
    return target?.identity.incarnation === incarnation ? target.check : undefined;
  }

  /** One check right now, whatever its pace. @returns undefined when it is not checked, or cannot be now. */
  async ask(identity: InstanceIdentity): Promise<boolean | undefined> {
    const target = this.#targets.get(`${identity.service} ${identity.id}`);
    return target && (await this.#lanes.run(() => this.#isWell(target)));
  }

  /** Stops, and gives up what runs. */
  close(): void {
    this.#unsubscribe();
    this.#closing.abort();
    this.#targets.clear();
    this.#timers.clear(this.#timer);
  }

  #follow(instance: Instance, service: string): void {
    const { id, incarnation } = instance;
    const key = `${service} ${id}`;
    const check = this.#registry.checkOf({ service, id, incarnation });
    const known = this.#targets.get(key);
    if (known?.check === check && known?.identity.incarnation === incarnation) return;
    this.#drop(key);
    if (!isProbed(instance, check)) return;
    const target = new Target({ service, id, incarnation }, check);
    this.#targets.set(key, target);
    if (this.#isPaced) this.#schedule(target, intervalOf(check) * this.#random());
  }

  #drop(key: string): void {
    const target = this.#targets.get(key);
    if (target === undefined) return;
    this.#targets.delete(key);
    this.#queue.delete(target);
  }

  #schedule(target: Target, delayMs: number): void {
    const now = this.#clock.now();
    this.#queue.set(target, now + delayMs);
    if (target.deadline < this.#wakesAtMs) this.#arm(now);
  }

  #arm(now: number): void {
    this.#timers.clear(this.#timer);
    this.#wakesAtMs = this.#queue.first() ?? Infinity;
    if (this.#wakesAtMs === Infinity || this.#closing.signal.aborted) return;
    this.#timer = this.#timers.set(
      () => {
        this.#runDue();
      },
      Math.max(1, Math.ceil(this.#wakesAtMs - now)),
    );
  }

  #runDue(): void {
    const now = this.#clock.now();
    for (let due = this.#queue.due(now); due !== undefined; due = this.#queue.due(now)) {
      this.#queue.set(due, Infinity);
      void this.#run(due);
    }
    this.#arm(now);
  }

  async #run(target: Target): Promise<void> {
    const isWell = await this.#lanes.run(() => this.#isWell(target));
    if (!this.#isCurrent(target)) return;
    // What could not run says nothing about the instance.
    if (isWell !== undefined) this.#judge(target, isWell);
    const intervalMs = intervalOf(target.check);
    const paceMs = target.streak > 0 ? Math.min(intervalMs, edgeIntervalMs) : intervalMs;
    this.#schedule(target, paceMs * (1 + jitterRatio * (2 * this.#random() - 1)));
  }

  async #isWell(target: Target): Promise<boolean> {
    const instance = this.#registry.instanceOf(target.identity);
    if (instance === undefined) return false;
    const { timeoutMs = 2000 } = target.check;
    const limit = AbortSignal.timeout(Math.min(timeoutMs, intervalOf(target.check)));
    const signal = AbortSignal.any([limit, this.#closing.signal]);
    return await this.#probe(instance, target.check, signal).catch(() => false);
  }

  #judge(target: Target, isWell: boolean): void {
    if (isWell) this.#registry.vouch(target.identity);
    const { rise = 2, fall = 3 } = target.check;
    target.streak = isWell === target.isDown ? target.streak + 1 : 0;
    if (target.streak < (isWell ? rise : fall)) return;
    target.streak = 0;
    target.isDown = !isWell;
    this.#registry.mark(target.identity, 'down', target.isDown);
  }

  #isCurrent(target: Target): boolean {
    const { service, id } = target.identity;
    return this.#targets.get(`${service} ${id}`) === target;
  }
}

function intervalOf({ intervalMs = 10_000 }: HealthCheck): number {
  return intervalMs;
}
