import type { Timers } from '@mesh/discovery-client';
import type { InstanceRecord } from './instance-record.ts';
import { Lanes } from './lanes.ts';
import type { LeaseVerdict } from './lease-judge.ts';
import { Protection } from './protection.ts';
import type { Loss, ProtectionOptions } from './protection.ts';
import { reachAddress } from './reach.ts';
import type { Reacher } from './reach.ts';
import type { InstanceIdentity } from './registration.ts';
import type { Registry } from './registry.ts';
import type { ServiceEntry } from './service-entry.ts';

/** Options of a {@link Guardian}. */
export interface GuardianOptions {
  /** Tries an address. Default: a TCP connection. */
  readonly reach?: Reacher | undefined;
  /** A deeper look than a connection, for instances that have a health check; undefined: has none. */
  readonly ask?: ((identity: InstanceIdentity) => Promise<boolean | undefined>) | undefined;
  readonly protection?: ProtectionOptions | undefined;
  readonly timers: Timers;
  /** Protection of a service, or of all (undefined), began or ended. */
  readonly onProtection?: ((service: string | undefined, isActive: boolean) => void) | undefined;
}

/** Tries at once. Each takes a moment where somebody or nobody listens, and `reachTimeoutMs` where nothing comes back. */
const maximumTries = 256;

/** Of those, by an examination of all: others find a lane. */
const maximumExamined = 64;

const maximumWaiting = 100_000;

/** Milliseconds until silence is silence; the first one on a session that broke decides within a tenth of a second. */
const reachTimeoutMs = 250;

/**
 * Milliseconds until the address behind a broken session is looked at again. A process that is being killed on a busy
 * machine may close its session a good while before the socket it listens on: seen once in 40 kills at a load of 8.
 */
const nextLooksMs = [20, 50, 100, 200, 500, 1000, 3000] as const;

/** First pause between two tries of a protected instance; each is twice as long as the one before. */
const firstRetryMs = 1000;

/** Longest pause between them. */
const lastRetryMs = 30_000;

/** Milliseconds for which a count of late instances is used again: of a service, and of all services. */
const countForMs = { service: 100, all: 1000 } as const;

interface Group {
  readonly protection: Protection;
  loss: Loss;
  countedMs: number;
}

/** Services that are remembered because their protection is, or was lately, of interest. */
const maximumGroups = 10_000;

/**
 * Joins what is known of an instance: its lease, its session, its address. It decides what becomes of a lease that ended
 * and of a session that broke, so that the dead are gone in milliseconds and no living one is removed:
 *
 * - nobody listens at the address: the process is dead, whatever else is the case;
 * - somebody does: of a broken session, only the link is dead, and the instance stays; of a lease that ended, it is hidden
 *   until it is heard again, unless its own health check says that it is well;
 * - silence: hidden until it is heard again or the second lease is over, too.
 *
 * While many are lost at once (see {@link Protection}), nobody is hidden or removed for silence.
 */
export class Guardian {
  readonly #registry: Registry;
  readonly #options: GuardianOptions;
  readonly #reach: Reacher;
  readonly #lanes = new Lanes(maximumTries, maximumWaiting);
  readonly #groups = new Map<string, Group>();
  readonly #all: Group;
  readonly #tries = new Set<unknown>();
  readonly #stopJudging: () => void;
  #isClosed = false;

  /** @throws RangeError naming an option that is out of range. */
  constructor(registry: Registry, options: GuardianOptions) {
    this.#registry = registry;
    this.#options = options;
    this.#reach = options.reach ?? reachAddress;
    this.#all = newGroup(options.protection);
    this.#stopJudging = registry.judgeLeases((record, service, nowMs) => this.#judge(record, service, nowMs));
  }

  /** Whether any service, or all of them, is being protected. */
  get isProtecting(): boolean {
    return this.#all.protection.isActive || this.protectedServices.length > 0;
  }

  /** Services that are being protected. */
  get protectedServices(): readonly string[] {
    return [...this.#groups].filter(([, { protection }]) => protection.isActive).map(([service]) => service);
  }

  /**
   * The session of an instance broke without a goodbye.
   *
   * @param isBack asked before anything is decided, because it may have opened another one meanwhile.
   */
  async sessionLost(identity: InstanceIdentity, isBack: () => boolean): Promise<void> {
    for (const pauseMs of nextLooksMs) {
      const reach = await this.#try(identity);
      if (this.#isClosed || isBack()) return;
      if (reach === 'refused') this.#registry.remove(identity, 'disconnected');
      else if (reach === 'silent' && !this.#isProtected(identity.service)) {
        this.#registry.mark(identity, 'suspect', true);
      }
      if (reach !== 'answered') return;
      await this.#pause(pauseMs);
      if (isBack()) return;
    }
  }

  /**
   * Looks at the address of every instance that this server is to hear from: after a restart some of them may have died
   * meanwhile, and those where nobody listens need not wait for their leases.
   */
  async examine(): Promise<void> {
    const ours = oursOf(this.#registry.services());
    const look = async (): Promise<void> => {
      for (const identity of ours) {
        const reach = await this.#try(identity);
        if (this.#isClosed) return;
        if (reach === 'refused') this.#registry.remove(identity, 'expired');
      }
    };
    await Promise.all(Array.from({ length: maximumExamined }, look));
  }

  /** Leases end as they do without it, and nothing more is tried. */
  close(): void {
    this.#isClosed = true;
    this.#stopJudging();
    for (const handle of this.#tries) this.#options.timers.clear(handle);
  }

  #judge(record: InstanceRecord, service: ServiceEntry, nowMs: number): LeaseVerdict {
    const isProtected = this.#protects(service, nowMs, true);
    if (record.has('suspect') && !isProtected) return 'remove';
    if (!record.has('suspect') && !record.has('protected')) void this.#verify(record.identity, firstRetryMs);
    if (!isProtected) return record.has('protected') ? 'remove' : 'suspect';
    return record.has('suspect') ? 'wait' : 'protect';
  }

  /** Looks after an instance whose lease ended, until it is heard, gone, or no longer protected. */
  async #verify(identity: InstanceIdentity, retryMs: number): Promise<void> {
    const reach = await this.#try(identity);
    if (this.#isClosed || !this.#isInDoubt(identity)) return;
    if (reach === 'refused') {
      this.#registry.remove(identity, 'expired');
      return;
    }
    if (reach === 'answered' && (await this.#options.ask?.(identity)) === true) {
      this.#registry.vouch(identity);
      return;
    }
    if (!this.#isInDoubt(identity) || !this.#isProtected(identity.service)) return;
    const handle = this.#options.timers.set(() => {
      this.#tries.delete(handle);
      if (this.#isInDoubt(identity)) void this.#verify(identity, Math.min(retryMs * 2, lastRetryMs));
    }, retryMs);
    this.#tries.add(handle);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const handle = this.#options.timers.set(() => {
        this.#tries.delete(handle);
        resolve();
      }, ms);
      this.#tries.add(handle);
    });
  }

  async #try(identity: InstanceIdentity) {
    const instance = this.#registry.instanceOf(identity);
    if (instance === undefined) return undefined;
    return await this.#lanes.run(() => this.#reach(instance, reachTimeoutMs));
  }

  /** Not when it beat meanwhile: the registry then has taken its marks away. */
  #isInDoubt(identity: InstanceIdentity): boolean {
    const instance = this.#registry.instanceOf(identity);
    return instance?.protected === true || this.#registry.isMarked(identity, 'suspect');
  }

  #isProtected(service: string): boolean {
    const entry = this.#registry.service(service);
    return entry !== undefined && this.#protects(entry, this.#registry.leaseNowMs, false);
  }

  #protects(service: ServiceEntry, nowMs: number, isEnding: boolean): boolean {
    const group = this.#groups.get(service.key) ?? this.#newGroup(service.key);
    if (nowMs - group.countedMs >= countForMs.service) {
      group.loss = lossOf([service], nowMs);
      group.countedMs = nowMs;
    }
    if (nowMs - this.#all.countedMs >= countForMs.all) {
      this.#all.loss = lossOf(this.#registry.services(), nowMs);
      this.#all.countedMs = nowMs;
    }
    const before = [group.protection.isActive, this.#all.protection.isActive];
    const isProtected = group.protection.protects(group.loss, nowMs, isEnding);
    const areAllProtected = this.#all.protection.protects(this.#all.loss, nowMs, isEnding);
    if (before[0] !== group.protection.isActive)
      this.#options.onProtection?.(service.key, group.protection.isActive);
    if (before[1] !== this.#all.protection.isActive)
      this.#options.onProtection?.(undefined, this.#all.protection.isActive);
    return isProtected || areAllProtected;
  }

  #newGroup(service: string): Group {
    for (const [known, { protection }] of this.#groups) {
      if (this.#groups.size < maximumGroups) break;
      if (!protection.isActive) this.#groups.delete(known);
    }
    const group = newGroup(this.#options.protection);
    this.#groups.set(service, group);
    return group;
  }
}

/** Those that this server is to hear from, whoever asks for the next. */
function* oursOf(services: Iterable<ServiceEntry>): Generator<InstanceIdentity> {
  for (const service of services) {
    for (const record of service.records()) if (record.isOurs) yield record.identity;
  }
}

function newGroup(options: ProtectionOptions | undefined): Group {
  const loss = { late: 0, total: 0, leaseMs: 0 };
  return { protection: new Protection(options), loss, countedMs: -Infinity };
}

/** Late is whoever should have beaten by now: 1.15 intervals without a sign of life, of 1.5 that a lease lasts. */
const lateRatio = 1 - 1.15 / 1.5;

function lossOf(services: Iterable<ServiceEntry>, nowMs: number): Loss {
  let [late, total, longestMs] = [0, 0, 0];
  for (const service of services) {
    for (const record of service.records()) {
      const { leaseMs } = record;
      total += 1;
      longestMs = Math.max(longestMs, leaseMs);
      const isLate = record.deadline - nowMs < leaseMs * lateRatio;
      if (isLate || record.has('protected') || record.has('suspect')) late += 1;
    }
  }
  return { late, total, leaseMs: longestMs };
}
