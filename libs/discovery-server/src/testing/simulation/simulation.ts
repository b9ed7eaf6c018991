import type { Reach } from '../../reach.ts';
import { History } from './history.ts';
import { SimNetwork } from './sim-network.ts';
import { SimProcess } from './sim-process.ts';
import { SimRegistry } from './sim-registry.ts';
import { SimTime, seededRandom } from './sim-time.ts';
import { StreamAudit } from './stream-audit.ts';

/** A mesh to simulate. */
export interface MeshShape {
  readonly seed: number;
  /** Names of services. Default `users` and `orders`. */
  readonly services?: readonly string[];
  /** Instances of each. Default 3. */
  readonly instances?: number;
  /** Processes that only look. Default 2. */
  readonly watchers?: number;
  /** Seconds between two heartbeats. Default 4. */
  readonly interval?: number;
  /** Whether instances hold sessions. Default true. */
  readonly session?: boolean;
}

/** Virtual milliseconds between two looks at every list. */
const sampleMs = 500;

/** After a cable is whole again, or messages are not lost any more: silence guard (25 s), back-off (12 s), one lease. */
const recoveryMs = 45_000;

/**
 * A registry, services and watchers in virtual time: the real server and client code on an in-memory network. Everything
 * random comes from the seed, so a run that found something can be repeated.
 */
export class Simulation {
  readonly time = new SimTime();
  readonly random: () => number;
  readonly history: History;
  readonly audit = new StreamAudit();
  readonly registry: SimRegistry;
  readonly network: SimNetwork;
  readonly processes: SimProcess[] = [];
  readonly watchers: SimProcess[] = [];
  readonly services: readonly string[];
  readonly interval: number;
  readonly #session: boolean;
  readonly #namesOf = new Map<SimProcess, string>();
  readonly #cutAt = new Map<SimProcess, number>();
  /** Lookups of watchers that had an answer before and got none. */
  failedLookups = 0;
  lookups = 0;
  #hosts = 0;
  #wallOffsetMs = 0;
  #lossyAt = -Infinity;
  #unsettledAt = -Infinity;
  #isCalm = true;

  constructor({
    seed,
    services = ['users', 'orders'],
    instances = 3,
    watchers = 2,
    interval = 4,
    session = true,
  }: MeshShape) {
    this.#session = session;
    this.random = seededRandom(seed);
    this.services = services;
    this.interval = interval;
    this.history = new History(interval * 1000);
    const wallClock = { now: () => Date.UTC(2026, 0, 1) + this.time.now() + this.#wallOffsetMs };
    this.registry = new SimRegistry({
      time: this.time,
      wallClock,
      random: this.random,
      reach: (target, timeoutMs) => this.#reach(target.host, timeoutMs),
    });
    this.registry.onStart = (registry) => {
      this.history.begin(registry.epoch);
      this.audit.listen(registry);
    };
    this.network = new SimNetwork(this.time, this.registry, this.random);
    this.network.onWatch = (_, stream, url, lastEventId) => {
      const names = new Set(url.searchParams.get('services')?.split(',') ?? services);
      stream.onArrival = this.audit.follow(names, lastEventId);
    };
    this.registry.start();
    for (const name of services) for (let count = 0; count < instances; count++) this.join(name);
    for (let count = 0; count < watchers; count++) this.watchers.push(this.#process());
  }

  /** Another instance. */
  join(name: string, address?: string): SimProcess {
    const process = this.#process(address);
    this.processes.push(process);
    this.#namesOf.set(process, name);
    process.serve(name, this.interval);
    return process;
  }

  /** Those that live. */
  living(name?: string): SimProcess[] {
    return this.processes.filter(
      (process) =>
        process.endedAt === undefined && (name === undefined || this.#namesOf.get(process) === name),
    );
  }

  /** The name under which a process serves. */
  nameOf(process: SimProcess): string {
    return this.#namesOf.get(process) ?? '';
  }

  /** Takes the cable out. */
  cut(process: SimProcess): void {
    this.#isCalm = false;
    process.host.isCut = true;
    this.#cutAt.set(process, Infinity);
  }

  /** Puts it in again. */
  heal(process: SimProcess): void {
    this.#cutAt.set(process, this.time.now());
    process.host.heal();
  }

  /** The share of requests and answers that do not arrive; 0 ends it. */
  lose(ratio: number): void {
    this.#isCalm = false;
    this.#lossyAt = ratio > 0 ? Infinity : this.time.now();
    this.network.weather.lossRatio = ratio;
  }

  /** Both ends' wall clocks are set. */
  jump(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** SIGSTOP for the registry, or SIGCONT. */
  pause(isPaused: boolean): void {
    this.#isCalm = false;
    this.#unsettledAt = isPaused ? Infinity : this.time.now();
    if (isPaused) this.registry.host.stop();
    else this.registry.host.continue();
  }

  /** Kills the registry; it comes back after a while and knows nobody. */
  restart(downMs: number): void {
    if (!this.registry.isUp) return;
    this.#isCalm = false;
    this.#unsettledAt = Infinity;
    this.registry.kill();
    this.time.set(() => {
      this.registry.start();
      this.#unsettledAt = this.time.now();
    }, downMs);
  }

  /** Lets time pass, looking at every list of every watcher. */
  async run(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= sampleMs) {
      await this.time.run(Math.min(sampleMs, left));
      this.#sample(Math.min(sampleMs, left));
    }
  }

  /** Whether every list is what is true now; what is not, in words. */
  differences(): string[] {
    return this.services.flatMap((name) => {
      const living = this.living(name).map(({ incarnation }) => incarnation ?? '');
      const truth = living.sort().join();
      const listed = this.registry.registry.service(name)?.describe('listed') ?? [];
      const lists = this.watchers.map(({ client }) => client.peek(name)?.instances ?? []);
      return [listed, ...lists].flatMap((list, index) => {
        const found = list
          .map(({ incarnation }) => incarnation)
          .sort()
          .join();
        return found === truth
          ? []
          : [`${index === 0 ? 'registry' : `watcher ${index}`}: ${name} is not what is true`];
      });
    });
  }

  /** Everything that was wrong. */
  get violations(): string[] {
    const lookups = this.failedLookups === 0 ? [] : [`${this.failedLookups} lookups failed`];
    return [...this.history.violations, ...this.audit.violations, ...lookups];
  }

  #sample(sinceMs: number): void {
    const now = this.time.now();
    const { isAlive, isStopped } = this.registry.host;
    const glass = {
      isRegistryUp: isAlive && !isStopped,
      isLossy: now - this.#lossyAt < recoveryMs,
      isUnsettled: now - this.#unsettledAt < recoveryMs,
      isCalm: this.#isCalm,
      isCutLately: (process: SimProcess) => now - (this.#cutAt.get(process) ?? -Infinity) < recoveryMs,
    };
    for (const watcher of this.watchers) {
      for (const name of this.services) {
        this.#lookUp(watcher, name);
        const all = this.processes.filter((process) => this.#namesOf.get(process) === name);
        this.history.sample(now, sinceMs, watcher, name, all, glass);
      }
    }
  }

  #lookUp({ client }: SimProcess, name: string): void {
    const isKnown = client.peek(name) !== undefined;
    this.lookups += 1;
    client.resolve(name).catch(() => {
      if (isKnown) this.failedLookups += 1;
    });
  }

  #process(address = `10.0.${this.#hosts >> 8}.${(this.#hosts += 1) & 255}`): SimProcess {
    const { time, network, random } = this;
    const wallClock = { now: () => Date.UTC(2026, 0, 1) + time.now() + this.#wallOffsetMs };
    return new SimProcess({ time, network, wallClock, random }, address, { session: this.#session });
  }

  /** What the address of an instance says to the registry. */
  #reach(address: string, timeoutMs: number): Promise<Reach> {
    const process = this.processes.findLast(({ host }) => host.address === address);
    const isSilent = process?.host.isCut === true;
    const reach = isSilent ? 'silent' : process?.host.isAlive === true ? 'answered' : 'refused';
    return new Promise((resolve) => {
      this.registry.host.timers.set(
        () => {
          resolve(reach);
        },
        isSilent ? timeoutMs : 1,
      );
    });
  }
}
