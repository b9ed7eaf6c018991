import type { AnomalyView } from './anomaly.ts';
import { identified, messageOf, type Check, type CheckResult } from './check.ts';
import type { Clock } from './clock.ts';
import { FlapMeter } from './flap.ts';
import { hashRatio } from './hash.ts';
import type { ProbeTask } from './job.ts';
import { LatencySeries, type LatencySummary, type LatencyWindow } from './latency-series.ts';
import type { LatencySketch } from './latency-sketch.ts';
import { OutcomeSeries, type Outcomes, type Window } from './outcome-series.ts';
import { Pace } from './pace.ts';
import type { AlertRule } from './rule.ts';
import { afterResult, unknown, type Standing, type TargetStatus } from './standing.ts';
import type { TargetView } from './target-view.ts';
import type { ReadTarget } from './target.ts';
import { delayAfter } from './timing.ts';

/** What a target needs of its monitor. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: () => number;
  /** How long it takes at least to ask every target once, in milliseconds. */
  roundMs(): number;
  siblingsOf(target: MonitoredTarget): readonly MonitoredTarget[];
  /** A check has been taken in. */
  checked(
    target: MonitoredTarget,
    result: CheckResult,
    latencyMs: number | undefined,
    from: TargetStatus,
  ): void;
}

/** A target with all that is known of it. */
export class MonitoredTarget implements TargetView, ProbeTask {
  readonly #around: Surroundings;
  readonly #outcomes: OutcomeSeries;
  readonly #latencies = new LatencySeries();
  readonly #flaps = new FlapMeter();
  readonly #pace = new Pace();
  #options: ReadTarget;
  #standing: Standing;
  #trafficAt = -Infinity;

  constructor(options: ReadTarget, around: Surroundings) {
    this.#options = options;
    this.#around = around;
    this.#standing = unknown(around.clock.now());
    this.#outcomes = new OutcomeSeries(around.clock.now());
  }

  /** Goes on with other options; what is known stays. */
  renew(options: ReadTarget): void {
    this.#options = options;
  }

  get id(): string {
    return this.#options.id;
  }
  get service(): string {
    return this.#options.service;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#options.labels;
  }
  get rules(): readonly AlertRule[] {
    return this.#options.rules;
  }
  get dependsOn(): readonly string[] {
    return this.#options.dependsOn;
  }
  get edgeIntervalMs(): number {
    return this.#options.edgeIntervalMs;
  }
  get check(): Check {
    return this.#options.check;
  }
  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }
  get status(): TargetStatus {
    return this.#standing.status;
  }
  get since(): number {
    return this.#standing.since;
  }
  get message(): string | undefined {
    return this.#standing.status === 'unknown' ? undefined : this.#standing.message;
  }
  get flapRatio(): number {
    return this.#flaps.ratio;
  }
  get anomaly(): AnomalyView {
    return this.#pace.anomaly;
  }
  get siblings(): readonly TargetView[] {
    return this.#around.siblingsOf(this);
  }
  /** What is kept of its past, in bytes. */
  get bytesBySeries(): { readonly outcomes: number; readonly latency: number; readonly anomaly: number } {
    return { outcomes: this.#outcomes.bytes, latency: this.#latencies.bytes, anomaly: this.#pace.bytes };
  }

  window(window: Window): Outcomes {
    return this.#outcomes.window(window, this.#now());
  }
  over(spanMs: number): Outcomes {
    return this.#outcomes.over(spanMs, this.#now());
  }
  history(window: Window): readonly Outcomes[] {
    return this.#outcomes.history(window, this.#now());
  }
  latency(window: LatencyWindow): LatencySummary {
    return this.#latencies.summary(window, this.#now());
  }
  quantile(window: LatencyWindow, ratio: number): number | undefined {
    return this.#latencies.quantile(window, ratio, this.#now());
  }
  /** A sketch of its latencies, to be merged with others. */
  sketch(window: LatencyWindow): LatencySketch {
    return this.#latencies.sketch(window, this.#now());
  }

  /** A call that somebody else has made. */
  record(ok: boolean, latencyMs: number | undefined): void {
    this.#trafficAt = this.#now();
    this.#sample(ok, latencyMs);
  }

  firstDelayMs(): number {
    // A few are looked at soon, many evenly over their interval.
    const roundMs = this.#around.roundMs();
    return hashRatio(this.id) * Math.max(roundMs, Math.min(this.#options.intervalMs, 3 * roundMs));
  }

  nextDelayMs(inconclusive: boolean): number {
    const idle = this.#now() - this.#trafficAt > this.#options.idleIntervalMs;
    const random = this.#around.random();
    const roundMs = this.#around.roundMs();
    return delayAfter(this.#options, { standing: this.#standing, inconclusive, idle, roundMs, random });
  }

  found(found: CheckResult, latencyMs: number | undefined): void {
    const now = this.#now();
    const result = identified(found, this.#options.identity);
    const { status = 'up', message, immediate = false } = result;
    const from = this.status;
    const said = message === undefined ? {} : { message: messageOf(message) };
    this.#standing = afterResult(this.#standing, { status, immediate, ...said }, now, this.#options);
    this.#flaps.push(status);
    this.#outcomes.state(now, this.status !== 'down', this.#believedMs);
    this.#sample(status !== 'down', latencyMs);
    this.#around.checked(this, { ...result, status }, latencyMs, from);
  }

  /** So long a result is taken for the state; later nobody knows. */
  get #believedMs(): number {
    const { intervalMs, idleIntervalMs, timeoutMs } = this.#options;
    return 2 * Math.max(intervalMs, idleIntervalMs, this.#around.roundMs()) + timeoutMs;
  }

  #sample(ok: boolean, latencyMs: number | undefined): void {
    const now = this.#now();
    this.#outcomes.sample(now, ok, latencyMs);
    if (!ok || latencyMs === undefined) return;
    this.#latencies.add(now, latencyMs);
    this.#pace.add(now, latencyMs);
  }

  #now(): number {
    return this.#around.clock.now();
  }
}
