import { AlertBook } from './alert-book.ts';
import { AlertError } from './alert-error.ts';
import { readSavedAlerts } from './alert-store.ts';
import type { ActiveAlert, Alert, ResolvedAlert } from './alert.ts';
import type { CheckResult } from './check.ts';
import { breathe } from './clock.ts';
import { Courier } from './courier.ts';
import { Listeners, type MonitorEventName, type MonitorEvents } from './events.ts';
import { LatencySketch } from './latency-sketch.ts';
import type { LatencyWindow } from './latency-series.ts';
import { MonitoredTarget } from './monitored-target.ts';
import { Notices } from './notices.ts';
import { readOptions, type HealthMonitorOptions, type ReadOptions } from './options.ts';
import { Prober, type ProberHealth } from './prober.ts';
import type { AlertRule, Judgement } from './rule.ts';
import type { Silence } from './silence.ts';
import type { TargetStatus } from './standing.ts';
import { readTarget, type Target } from './target.ts';
import type { TargetView } from './target-view.ts';
import { Watchlist } from './watchlist.ts';

/** A call that somebody has made to a target. */
export interface PassiveSample {
  readonly ok: boolean;
  /** Milliseconds until it was answered. */
  readonly latencyMs?: number;
}

/** How often repeats, silences and groups are looked after. */
const tickMs = 500;
/** Targets that are taken up at once: a few milliseconds. */
const crowd = 1000;
/** So long after a start an alert may wait for its target to be added again. */
const orphanMs = 3_600_000;

/**
 * Watches targets: checks them, keeps their past in fixed memory, raises alerts and tells people.
 *
 * ```ts
 * const monitor = new HealthMonitor({
 *   targets: [{ id: 'db', check: (signal) => ping(signal) }],
 *   sinks: [callbackSink((notice) => console.log(notice.title))],
 * });
 * await monitor.start();
 * ```
 */
export class HealthMonitor {
  readonly #options: ReadOptions;
  readonly #listeners = new Listeners();
  readonly #targets = new Watchlist();
  readonly #prober: Prober;
  readonly #notices: Notices;
  readonly #book: AlertBook;
  readonly #courier: Courier;
  #phase: 'new' | 'running' | 'closed' = 'new';
  /** Only then may be saved: what the store holds must not be replaced by nothing. */
  #isLoaded = false;
  #timer: unknown;
  #orphansUntil = Infinity;

  /** @throws RangeError naming the option and its value. */
  constructor(options: HealthMonitorOptions = {}) {
    const read = readOptions(options);
    const { sinks, store, timers, random } = read;
    this.#options = read;
    this.#prober = new Prober(read);
    const audience = sinks.map(({ name, minimumSeverity = 'info' }) => ({ name, minimumSeverity }));
    this.#notices = new Notices(read.notices, audience);
    this.#book = new AlertBook({
      notices: this.#notices,
      maintenance: read.maintenance,
      repeatMs: read.notices.repeatMs,
      changed: (alert, previous) => {
        this.#listeners.emit('alert', { alert, previous });
      },
    });
    this.#courier = new Courier({
      store,
      sinks,
      timers,
      random,
      timeoutMs: read.deliveryTimeoutMs,
      attempts: read.deliveryAttempts,
      save: () => this.#book.save(),
      outbox: () => this.#notices.outbox,
      settled: (id, sink) => {
        this.#notices.settle(id, sink);
      },
      fault: (error) => {
        this.#listeners.emit('fault', { error });
      },
    });
    for (const target of options.targets ?? []) this.add(target);
  }

  /**
   * Takes up the alerts of the store, then begins to check.
   *
   * @throws TypeError when the store holds something else, and whatever its `load` throws.
   */
  async start(): Promise<void> {
    if (this.#phase !== 'new') return;
    this.#phase = 'running';
    const saved = readSavedAlerts(await this.#options.store.load());
    if (this.#isClosed) return;
    if (saved !== undefined) this.#book.restore(saved);
    this.#isLoaded = true;
    this.#orphansUntil = this.#now() + orphanMs;
    // Notices that a crash has held up.
    this.#courier.touch();
    this.#tickLater();
    let taken = 0;
    for (const target of this.#targets) {
      this.#prober.add(target);
      if (++taken % crowd === 0) await breathe();
    }
  }

  /** Ends all checks. Resolves when the alerts are saved; they go on at the next start. */
  async close(): Promise<void> {
    this.#phase = 'closed';
    this.#options.timers.clearTimeout(this.#timer);
    this.#prober.close();
    this.#changed();
    await this.#courier.close();
  }

  /** Watches a target; one with a known id goes on with its past and the new options. @throws RangeError naming the option and its value. */
  add(target: Target): void {
    const read = readTarget(target, this.#options.defaults, this.#options.rules);
    if (this.#targets.renew(read)) {
      if (this.#book.removeTarget(read.id, this.#now(), read.rules)) this.#changed();
      return;
    }
    const { clock, random } = this.#options;
    const added = new MonitoredTarget(read, {
      clock,
      random,
      roundMs: () => (this.#targets.size * 1000) / this.#options.checksPerSecond,
      siblingsOf: (one) => this.#targets.siblingsOf(one),
      checked: (...what) => {
        this.#checked(...what);
      },
    });
    this.#targets.add(added);
    if (this.#phase === 'running') this.#prober.add(added);
  }

  /** Forgets a target; its alerts are resolved as `removed`. @returns whether there was one. */
  remove(id: string): boolean {
    const target = this.#targets.remove(id);
    if (target === undefined) return false;
    this.#prober.remove(target);
    if (this.#book.removeTarget(id, this.#now())) this.#changed();
    return true;
  }

  /** Watches exactly these: what a discovery client knows at the moment. */
  replace(targets: readonly Target[]): void {
    const wanted = new Set(targets.map(({ id }) => id));
    for (const { id } of [...this.#targets]) if (!wanted.has(id)) this.remove(id);
    for (const target of targets) this.add(target);
  }

  /** Takes in a call of somebody else. After a failure the next check comes soon. An unknown id is nobody's. */
  record(id: string, { ok, latencyMs }: PassiveSample): void {
    const target = this.#targets.get(id);
    if (target === undefined) return;
    target.record(ok, latencyMs);
    if (!ok) this.#prober.hasten(target, target.edgeIntervalMs);
  }

  /** All targets, in the order in which they were added. */
  get targets(): readonly TargetView[] {
    return [...this.#targets];
  }

  target(id: string): TargetView | undefined {
    return this.#targets.get(id);
  }

  /** Latencies of all instances of a service as if they were one. */
  latencyOf(service: string, window: LatencyWindow): LatencySketch {
    const merged = new LatencySketch();
    for (const target of this.#targets.of(service)) merged.merge(target.sketch(window));
    return merged;
  }

  /** Pending, firing and acknowledged alerts. */
  get alerts(): readonly Exclude<Alert, ResolvedAlert>[] {
    return this.#book.alerts;
  }

  /** The last 500 alerts that are over, the newest first. */
  get resolvedAlerts(): readonly ResolvedAlert[] {
    return this.#book.resolved;
  }

  get silences(): readonly Silence[] {
    return this.#book.silences;
  }

  /** How the monitor itself does: how late it is, how often it stood still. */
  get health(): ProberHealth {
    return this.#prober.health;
  }

  /**
   * Somebody takes an alert: no more repeats until it is resolved.
   *
   * @throws AlertError `ERR_ALERT_NOT_FOUND` or `ERR_ALERT_PENDING`; RangeError when `by` is empty.
   */
  acknowledge(id: string, who: { readonly by: string; readonly note?: string }): ActiveAlert {
    const acknowledged = this.#book.acknowledge(id, who, this.#now());
    this.#changed();
    return acknowledged;
  }

  /**
   * Nobody is told of what matches, until then. Alerts go on; one that still fires when the silence is over is told then.
   *
   * @throws RangeError naming the option and its value; AlertError `ERR_NOT_STARTED`.
   */
  silence(silence: Omit<Silence, 'id'>): Silence {
    if (!this.#isLoaded) throw new AlertError('ERR_NOT_STARTED', 'the monitor has not started yet');
    const made = this.#book.silence(silence);
    this.#changed();
    return made;
  }

  /** Ends a silence before its time. @returns whether there was one. */
  unsilence(id: string): boolean {
    const ended = this.#book.unsilence(id);
    if (ended) this.#changed();
    return ended;
  }

  /** Why nobody is told of an alert: the id of a silence, the name of a maintenance, `flapping`; undefined when they are. */
  quietedBy(alert: ActiveAlert): string | undefined {
    return this.#book.quietedBy(alert, this.#now());
  }

  /** @returns the way to stop. */
  on<K extends MonitorEventName>(name: K, listener: (event: MonitorEvents[K]) => unknown): () => void {
    return this.#listeners.on(name, listener);
  }

  get #isClosed(): boolean {
    return this.#phase === 'closed';
  }

  #checked(
    target: MonitoredTarget,
    result: CheckResult,
    latencyMs: number | undefined,
    from: TargetStatus,
  ): void {
    this.#listeners.emit('check', { target, result, latencyMs });
    if (target.status !== from) {
      this.#listeners.emit('status', { target, from, to: target.status, at: target.since });
    }
    let changed = false;
    for (const rule of target.rules) changed = this.#judge(rule, target) || changed;
    if (changed) this.#changed();
  }

  #changed(): void {
    if (this.#isLoaded) this.#courier.touch();
  }

  #judge(rule: AlertRule, target: MonitoredTarget): boolean {
    try {
      const judgement = this.#inhibited(target, rule.judge(target));
      return this.#book.judge(rule, target, judgement, this.#now());
    } catch (error) {
      this.#listeners.emit('fault', { error });
      return false;
    }
  }

  /**
   * What depends on something that is down raises nothing new; what it has raised ends as ever. Only a cause that has an alert itself counts, so that
   * of things that depend on each other one is told.
   */
  #inhibited(target: MonitoredTarget, judgement: Judgement): Judgement {
    if (judgement.verdict !== 'raise') return judgement;
    const isCause = (one: MonitoredTarget): boolean => one !== target && this.#book.has(one.id);
    const isOut = (name: string): boolean => this.#targets.outOf(name).some(isCause);
    return target.dependsOn.some(isOut) ? { ...judgement, verdict: 'hold' } : judgement;
  }

  #tickLater(): void {
    this.#timer = this.#options.timers.setTimeout(() => {
      if (this.#isClosed) return;
      if (this.#book.tick(this.#now())) this.#changed();
      this.#resolveOrphans();
      this.#tickLater();
    }, tickMs);
  }

  /** Alerts of an earlier life whose targets, or rules, did not come back. */
  #resolveOrphans(): void {
    const now = this.#now();
    if (now < this.#orphansUntil) return;
    this.#orphansUntil = Infinity;
    for (const id of this.#book.targets) {
      if (this.#book.removeTarget(id, now, this.#targets.get(id)?.rules)) this.#changed();
    }
  }

  #now(): number {
    return this.#options.clock.now();
  }
}
