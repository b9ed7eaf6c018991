import type { BreakDuration } from '../break-duration.ts';
import type { Outcome } from '../gate.ts';
import type { CircuitMode } from '../options.ts';
import type { CircuitSnapshot, CircuitState } from '../snapshot.ts';
import type { NaiveRule, TwinRule } from './naive-rules.ts';

/** The numbers of the law. */
export interface Law {
  readonly twin: TwinRule;
  readonly breakMs: BreakDuration;
  readonly attemptDecayMs: number;
  readonly successThreshold: number;
  readonly trials: number;
  readonly probeLeaseMs: number;
  readonly rampMs: number;
  readonly mode: CircuitMode;
}

/** A call that was let through. */
export interface NaiveCall {
  readonly epoch: number;
  readonly startedAt: number;
  readonly trial: boolean;
  /** In shadow or disabled mode nobody counts how it ends. */
  readonly counted: boolean;
  settled: boolean;
}

interface Opening {
  readonly openedAt: number;
  readonly retryAt: number;
  readonly attempt: number;
  readonly failureCount: number;
  readonly cause: unknown;
}

type Phase =
  | {
      readonly state: 'closed';
      readonly since: number;
      readonly attempts: number;
      credit: number | undefined;
    }
  | { readonly state: 'open'; readonly opening: Opening }
  | {
      readonly state: 'half-open';
      readonly opening: Opening;
      trials: NaiveCall[];
      successes: number;
      failures: number;
    };

/**
 * The law once more, naively: time passes millisecond by millisecond, every arrow is taken the moment it is due, all calls are
 * remembered. Nothing here is lazy, shared or counted ahead.
 */
export class NaiveCircuit {
  now = 0;
  epoch = 0;
  holds = 0;
  mayOpen = true;
  totals = { success: 0, failure: 0, ignored: 0, rejected: 0 };
  #law: Law;
  #rule: NaiveRule;
  #phase: Phase = { state: 'closed', since: 0, attempts: 0, credit: undefined };

  constructor(law: Law) {
    this.#law = law;
    this.#rule = law.twin.naive();
  }

  pass(ms: number): void {
    for (let tick = 0; tick < ms; tick++) {
      this.now++;
      this.#takeArrows();
    }
  }

  acquire(): NaiveCall | undefined {
    const { mode } = this.#law;
    if (this.#blocked) return this.#refuse(false);
    if (mode === 'disabled') return this.#call({ counted: false });
    const phase = this.#phase;
    if (phase.state === 'closed') {
      if (!this.#passesRamp(phase)) return this.#refuse(mode === 'shadow');
      if (this.#rule.begin(this.now) && this.#openFromClosed(undefined))
        return this.#refuse(mode === 'shadow');
      return this.#call({});
    }
    if (phase.state === 'open' || !this.#hasPlace(phase)) return this.#refuse(mode === 'shadow');
    const trial = this.#call({ trial: true });
    phase.trials.push(trial);
    return trial;
  }

  settle(call: NaiveCall, outcome: Outcome, error: unknown): void {
    if (call.settled) return;
    call.settled = true;
    if (!call.counted || call.epoch !== this.epoch) return;
    const phase = this.#phase;
    if (phase.state === 'half-open') {
      // Lost by its lease.
      if (!phase.trials.includes(call)) return;
      phase.trials = phase.trials.filter((trial) => trial !== call);
    }
    this.totals[outcome]++;
    if (phase.state === 'closed') {
      if (this.#rule.end(outcome, this.now, call.startedAt)) this.#openFromClosed(error);
    } else if (phase.state === 'half-open' && outcome !== 'ignored') {
      const slow = this.now - call.startedAt > this.#rule.slowAfterMs;
      if (outcome === 'failure' || slow) phase.failures++;
      else phase.successes++;
      this.#findVerdict(phase, error);
    }
  }

  hold(change: 1 | -1): void {
    this.holds += change;
  }

  reset(): void {
    this.#enter({ state: 'closed', since: this.now, attempts: 0, credit: undefined });
  }

  reconfigure(law: Law): void {
    const renewed = law.twin !== this.#law.twin;
    this.#law = law;
    if (renewed) this.#rule = law.twin.naive();
    if (renewed && this.#phase.state === 'closed') this.epoch++;
    if (this.#phase.state === 'half-open') this.#findVerdict(this.#phase, this.#phase.opening.cause);
    // A lease may be over by the new options.
    this.#takeArrows();
  }

  /** Saved, and restored `wallMs` later by a wall clock that may have been set. */
  restart(wallMs: number): void {
    const phase = this.#phase;
    if (phase.state === 'closed') {
      this.#enter({ state: 'closed', since: this.now, attempts: this.#attempts(phase), credit: undefined });
      return;
    }
    const left = phase.state === 'open' ? Math.ceil(phase.opening.retryAt - this.now) : 0;
    const retryAt = this.now + Math.max(0, left - Math.max(0, wallMs));
    this.#enter({
      state: 'open',
      opening: { ...phase.opening, openedAt: this.now, retryAt, cause: undefined },
    });
    this.#takeArrows();
  }

  /** Everything that can be seen of it. */
  look(): CircuitSnapshot & { readonly available: boolean } {
    const phase = this.#phase;
    return {
      name: 'naive',
      state: this.state,
      available: this.available,
      mode: this.#law.mode,
      isolated: this.holds > 0,
      failureCount: phase.state === 'closed' ? this.#rule.failures(this.now) : phase.opening.failureCount,
      successCount: phase.state === 'half-open' ? phase.successes : 0,
      totals: this.totals,
      retryAfterMs: phase.state === 'open' ? Math.ceil(phase.opening.retryAt - this.now) : 0,
      ...(phase.state !== 'closed' && { openedAt: phase.opening.openedAt }),
    };
  }

  /** All that its future depends on, for calls that are under way: circuits of one fingerprint go on alike. */
  fingerprint(underWay: readonly NaiveCall[]): string {
    const phase = this.#phase;
    const calls = underWay.map(({ epoch, startedAt, trial }) =>
      epoch === this.epoch ? [this.now - startedAt, trial] : 'late',
    );
    const detail =
      phase.state === 'half-open'
        ? [phase.trials.map(({ startedAt }) => this.now - startedAt), phase.successes, phase.failures]
        : phase.state === 'open'
          ? phase.opening.retryAt - this.now
          : this.#rule.memory(this.now);
    return JSON.stringify([phase.state, detail, calls]);
  }

  get state(): CircuitState {
    return this.#blocked ? 'open' : this.#phase.state;
  }

  get available(): boolean {
    if (this.#blocked) return false;
    const phase = this.#phase;
    if (phase.state === 'closed' || this.#law.mode !== 'enabled') return true;
    return phase.state === 'half-open' && this.#hasPlace(phase);
  }

  get #blocked(): boolean {
    return this.holds > 0 || this.#law.mode === 'forced-open';
  }

  #call({ trial = false, counted = true }): NaiveCall {
    return { epoch: this.epoch, startedAt: this.now, trial, counted, settled: false };
  }

  #refuse(shadow: boolean): NaiveCall | undefined {
    this.totals.rejected++;
    return shadow ? this.#call({ counted: false }) : undefined;
  }

  #hasPlace({ trials, successes, failures }: Phase & { state: 'half-open' }): boolean {
    return trials.length + successes + failures < this.#law.trials;
  }

  #passesRamp(phase: Phase & { state: 'closed' }): boolean {
    if (phase.credit === undefined) return true;
    const grown = (this.now - phase.since) / this.#law.rampMs;
    if (!(grown < 1)) {
      phase.credit = undefined;
      return true;
    }
    phase.credit += 0.1 + 0.9 * grown;
    if (phase.credit < 1) return false;
    phase.credit -= 1;
    return true;
  }

  #takeArrows(): void {
    let phase = this.#phase;
    while (phase.state === 'half-open' && this.#lostAt(phase) <= this.now) {
      const lostAt = this.#lostAt(phase);
      phase.trials.shift();
      phase.failures++;
      this.totals.failure++;
      this.#findVerdict(phase, undefined, lostAt);
      phase = this.#phase;
    }
    if (phase.state === 'open' && this.now >= phase.opening.retryAt) {
      const { opening } = phase;
      this.#enter({ state: 'half-open', opening, trials: [], successes: 0, failures: 0 });
    }
  }

  /** When the oldest trial is lost. */
  #lostAt({ trials }: Phase & { state: 'half-open' }): number {
    return (trials[0]?.startedAt ?? Infinity) + this.#law.probeLeaseMs;
  }

  #findVerdict(phase: Phase & { state: 'half-open' }, cause: unknown, at = this.now): void {
    const { attempt } = phase.opening;
    const { trials, successThreshold, rampMs } = this.#law;
    if (phase.successes >= successThreshold) {
      const credit = rampMs > 0 ? 1 : undefined;
      this.#enter({ state: 'closed', since: this.now, attempts: attempt, credit });
    } else if (trials - phase.failures < successThreshold) this.#open(attempt + 1, phase.failures, cause, at);
  }

  #openFromClosed(cause: unknown): boolean {
    const phase = this.#phase;
    if (phase.state !== 'closed' || !this.mayOpen) return false;
    this.#open(this.#attempts(phase) + 1, this.#rule.failures(this.now), cause);
    return true;
  }

  #attempts({ since, attempts }: Phase & { state: 'closed' }): number {
    let left = attempts;
    for (let at = since + this.#law.attemptDecayMs; at <= this.now && left > 0;) {
      left--;
      at += this.#law.attemptDecayMs;
    }
    return left;
  }

  #open(attempt: number, failureCount: number, cause: unknown, openedAt = this.now): void {
    const { breakMs } = this.#law;
    const planned = typeof breakMs === 'number' ? breakMs : breakMs({ attempt, failureCount, cause });
    const wished = (cause as { readonly retryAfterMs?: number } | undefined)?.retryAfterMs ?? 0;
    const retryAt = openedAt + (wished > planned ? wished : planned);
    this.#enter({ state: 'open', opening: { openedAt, retryAt, attempt, failureCount, cause } });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.epoch++;
    this.#rule.clear();
  }
}
