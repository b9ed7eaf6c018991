import { CallPermit, uncounted, type PermitOwner } from './call-permit.ts';
import { Closed } from './closed.ts';
import { lostTrialError, type Refusal, type RefusalReason } from './errors.ts';
import type { Outcome } from './gate.ts';
import { HalfOpen, type Verdict } from './half-open.ts';
import { Journal } from './journal.ts';
import type { Clocks } from './options.ts';
import { outageFrom, type Outage } from './outage.ts';
import type { Settings } from './settings.ts';
import { renewSnapshot, type CircuitSnapshot, type CircuitState } from './snapshot.ts';
import { isTold, type TripMeter } from './trip-rule.ts';

/** One for all: it remembers nothing. */
const fresh = new Closed(0);

type Phase = Closed | { readonly state: 'open'; readonly outage: Outage } | HalfOpen;

/**
 * The law of the circuit, synchronous and without timers.
 *
 * ```
 *            the rule trips
 *   closed ------------------------------------> open <---------.
 *     ^                                           |             |
 *     | successThreshold                          | the break   | so many trials failed, or hang,
 *     | trials succeeded                          v is over     | that too few are left
 *     '--------------------------------------- half-open -------'
 * ```
 *
 * - Every arrow (and `reset`) starts a new generation. A permit belongs to the generation that gave it; what it says in a later one
 *   changes nothing.
 * - Time only passes when somebody looks. Reading works out what is due and changes nothing; the arrows that time
 *   draws are taken by the next call, dated when they were due.
 * - Half-open, trials under way and trials that have ended are together never more than `trials`: a sick service gets no call
 *   that the verdict does not need. An ignored trial gives its place back.
 */
export class Circuit implements PermitOwner {
  readonly name: string;
  readonly journal: Journal;
  readonly #clocks: Clocks;
  readonly #mayOpen: () => boolean;
  #settings: Settings;
  #meter: TripMeter;
  #phase: Phase = fresh;
  #generation = 0;
  #holds = 0;
  #passing = false;
  /** Until then every call is refused without another look; 0 when there is more to ask. */
  #refusedUntil = 0;
  #snapshot: CircuitSnapshot | undefined;
  #refusal: Refusal | undefined;

  /** `mayOpen` is asked before the circuit opens by itself. */
  constructor(name: string, settings: Settings, clocks: Clocks, mayOpen: () => boolean) {
    this.name = name;
    this.journal = new Journal(name);
    this.#settings = settings;
    this.#clocks = clocks;
    this.#mayOpen = mayOpen;
    this.#meter = settings.rule.meter();
    this.#findWay();
  }

  get generation(): number {
    return this.#generation;
  }

  /** Whether calls pass without a look at the clock and without a place of their own. */
  get passing(): boolean {
    return this.#passing;
  }

  get state(): CircuitState {
    return this.#passing ? 'closed' : this.#stateAt(this.#clocks.exact.now());
  }

  get retryAfterMs(): number {
    return this.#passing ? 0 : this.#retryAfterMs(this.#clocks.exact.now());
  }

  get available(): boolean {
    if (this.#passing) return true;
    if (this.#blocked) return false;
    const phase = this.#phase;
    if (phase.state === 'closed' || this.#settings.mode !== 'enabled') return true;
    const now = this.#clocks.exact.now();
    const outage = this.#outageAt(now);
    if (outage !== undefined) return now >= outage.retryAt;
    return phase.state === 'half-open' && phase.hasPlace(this.#settings);
  }

  /** A permit, or undefined for a refusal; {@link refusal} tells why. */
  acquire(): CallPermit | undefined {
    if (this.#passing) return new CallPermit(this, this.#generation, 0, false);
    if (this.#refusedUntil > 0 && this.#clocks.turn.now() < this.#refusedUntil) return this.#refuse();
    return this.#acquireSlowly();
  }

  /** Why a call is refused at this moment; the same object for a crowd that is refused within one millisecond. */
  refusal(): Refusal {
    const phase = this.#phase;
    const reason = this.#reason();
    const retryAfterMs = this.#retryAfterMs(this.#clocks.turn.now());
    const cause = phase.state === 'closed' ? undefined : phase.outage.cause;
    const last = this.#refusal;
    if (last?.retryAfterMs === retryAfterMs && last.reason === reason && last.cause === cause) return last;
    return (this.#refusal = { circuit: this.name, reason, retryAfterMs, cause });
  }

  /** The end of a call that was let through while closed. */
  settleCall(generation: number, startedAt: number, outcome: Outcome, error: unknown): void {
    if (generation !== this.#generation) return;
    this.journal.settled(outcome, error);
    const { needs } = this.#settings.rule;
    if (isTold(needs, outcome)) {
      // A window may take the time at which the turn of the event loop began; an answer had arrived by then.
      const now = needs === 'outcomes' ? 0 : this.#clocks.turn.now();
      if (this.#endTrips(outcome, now, startedAt)) this.#openFromClosed(error);
    }
    this.journal.tell();
  }

  /** The end of a trial. */
  settleTrial(trial: CallPermit, outcome: Outcome, error: unknown): void {
    if (trial.generation !== this.#generation) return;
    const now = this.#clocks.exact.now();
    this.#loseTrials(now);
    const phase = this.#phase;
    // Still half-open and under way, unless by now its own lease or those of older trials had run out.
    if (phase.state === 'half-open' && phase.remove(trial)) {
      this.journal.settled(outcome, error);
      const { slowAfterMs = Infinity } = this.#settings.rule;
      const failed = outcome === 'failure' || (outcome === 'success' && now - trial.startedAt > slowAfterMs);
      if (failed) this.#follow(phase, phase.fail(this.#settings), now, error);
      else if (outcome === 'success') this.#follow(phase, phase.succeed(this.#settings), now, error);
    }
    this.journal.tell();
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Takes over new settings. With a new rule counting starts anew, and calls under way no longer count; trials may find a verdict at once. */
  tune(settings: Settings): void {
    const renewed = settings.rule !== this.#settings.rule;
    if (renewed) this.#meter = settings.rule.meter();
    const now = this.#clocks.exact.now();
    // What was due by the old settings has happened.
    this.#catchUp(now);
    this.#settings = settings;
    const phase = this.#phase;
    if (renewed && phase.state === 'closed') this.#generation++;
    if (phase.state === 'half-open') this.#follow(phase, phase.verdict(settings), now, phase.outage.cause);
    this.#findWay();
    this.journal.tell();
  }

  /** Refuses every call until as many are released as were held. */
  hold(change: 1 | -1): void {
    this.#holds += change;
    this.#findWay();
    this.journal.tell();
  }

  /** Closes the circuit and forgets its failures; calls under way no longer count. */
  reset(): void {
    const now = this.#clocks.exact.now();
    // A trial that is lost by now was a failure, even if nobody has looked since.
    this.#loseTrials(now);
    this.#to(new Closed(now), undefined);
    this.journal.tell();
  }

  /** Stands where another circuit stood: closed after so many openings, or open for so long. */
  resume(
    attempt: number,
    open: { readonly remainingMs: number; readonly failureCount: number } | undefined,
  ): void {
    const openedAt = this.#clocks.exact.now();
    this.#loseTrials(openedAt);
    if (open === undefined) this.#to(new Closed(openedAt, attempt), undefined);
    else {
      const { remainingMs, failureCount } = open;
      const outage = { openedAt, retryAt: openedAt + remainingMs, attempt, failureCount, cause: undefined };
      this.#to({ state: 'open', outage }, undefined);
    }
    this.journal.tell();
  }

  /** Openings that are not forgotten yet. */
  get attempts(): number {
    const phase = this.#phase;
    const now = this.#clocks.exact.now();
    if (phase.state === 'closed') return phase.attempts(now, this.#settings.attemptDecayMs);
    return (this.#outageAt(now) ?? phase.outage).attempt;
  }

  /** Milliseconds until trials that give no answer have opened the circuit again; undefined when there are none. */
  get leaseLeftMs(): number | undefined {
    const phase = this.#phase;
    const lostAt = phase.state === 'half-open' ? phase.lostAt(this.#settings) : Infinity;
    return lostAt === Infinity ? undefined : Math.max(0, lostAt - this.#clocks.exact.now());
  }

  snapshot(): CircuitSnapshot {
    const now = this.#clocks.exact.now();
    const phase = this.#phase;
    const due = this.#outageAt(now);
    const outage = due ?? (phase.state === 'closed' ? undefined : phase.outage);
    const trying = phase.state === 'half-open' && due === undefined;
    const lost = phase.state === 'half-open' ? phase.lost(now, this.#settings).length : 0;
    this.#snapshot = renewSnapshot(this.#snapshot, {
      name: this.name,
      state: this.#stateAt(now),
      mode: this.#settings.mode,
      isolated: this.#holds > 0,
      failureCount: outage?.failureCount ?? this.#meter.counts(now).failures,
      successCount: trying ? phase.successes : 0,
      totals: this.journal.totals(lost),
      retryAfterMs: this.#retryAfterMs(now),
      ...(outage !== undefined && { openedAt: outage.openedAt }),
    });
    return this.#snapshot;
  }

  #acquireSlowly(): CallPermit | undefined {
    if (this.#blocked) return this.#refuse();
    if (this.#settings.mode === 'disabled') return new CallPermit(this, uncounted, 0, false);
    const now = this.#clocks.exact.now();
    if (this.#phase.state !== 'closed') this.#catchUp(now);
    const permit = this.#admit(now) ?? this.#refuse();
    this.journal.tell();
    return permit;
  }

  get #blocked(): boolean {
    return this.#holds > 0 || this.#settings.mode === 'forced-open';
  }

  #reason(): RefusalReason {
    if (this.#blocked) return 'isolated';
    const { state } = this.#phase;
    return state === 'closed' ? 'ramping' : state === 'open' ? 'open' : 'half-open-full';
  }

  /** The outage of a circuit that is open at `now`, or that lost trials have opened by then; it may be over. */
  #outageAt(now: number): Outage | undefined {
    const phase = this.#phase;
    if (phase.state !== 'half-open') return phase.state === 'open' ? phase.outage : undefined;
    const lostAt = phase.lostAt(this.#settings);
    if (now < lostAt) return undefined;
    return (phase.next ??= this.#outage(
      phase.outage.attempt + 1,
      lostAt,
      this.#failuresAt(phase, lostAt),
      this.#lostError(),
    ));
  }

  #failuresAt(phase: HalfOpen, now: number): number {
    return phase.failures + phase.lost(now, this.#settings).length;
  }

  #lostError(): Error {
    return lostTrialError(this.name, this.#settings.probeLeaseMs);
  }

  #stateAt(now: number): CircuitState {
    if (this.#blocked) return 'open';
    if (this.#phase.state === 'closed') return 'closed';
    const outage = this.#outageAt(now);
    return outage !== undefined && now < outage.retryAt ? 'open' : 'half-open';
  }

  #retryAfterMs(now: number): number {
    const outage = this.#outageAt(now);
    return outage === undefined ? 0 : Math.max(0, Math.ceil(outage.retryAt - now));
  }

  /** Takes the arrows that time has drawn since the last call. */
  #catchUp(now: number): void {
    this.#loseTrials(now);
    const phase = this.#phase;
    if (phase.state === 'open' && now >= phase.outage.retryAt) {
      this.#to(new HalfOpen(phase.outage), phase.outage.cause);
    }
  }

  /** Trials whose lease has run out have failed; if that opens the circuit, then as of that time. */
  #loseTrials(now: number): void {
    const phase = this.#phase;
    if (phase.state !== 'half-open') return;
    const outage = this.#outageAt(now);
    const cause = outage?.cause ?? this.#lostError();
    for (const trial of phase.lost(now, this.#settings)) {
      phase.remove(trial);
      phase.fail(this.#settings);
      this.journal.settled('failure', cause);
    }
    if (outage !== undefined) this.#to({ state: 'open', outage }, cause);
  }

  #admit(now: number): CallPermit | undefined {
    const phase = this.#phase;
    if (phase.state === 'closed') return this.#admitCall(phase, now);
    if (phase.state !== 'half-open' || !phase.hasPlace(this.#settings)) return undefined;
    const trial = new CallPermit(this, this.#generation, now, true);
    phase.add(trial);
    return trial;
  }

  #admitCall(phase: Closed, now: number): CallPermit | undefined {
    const { ramping } = phase;
    if (!phase.passes(now, this.#settings.rampMs)) return undefined;
    if (ramping) this.#findWay();
    if (this.#beginTrips(now) && this.#openFromClosed(undefined)) return undefined;
    return new CallPermit(this, this.#generation, now, false);
  }

  /** Counts a refusal. In shadow mode the call passes all the same, and nobody counts how it ends. */
  #refuse(): CallPermit | undefined {
    const shadow = this.#refusedUntil === 0 && this.#settings.mode === 'shadow' && !this.#blocked;
    this.journal.refused(this, shadow);
    this.journal.tell();
    return shadow ? new CallPermit(this, uncounted, 0, false) : undefined;
  }

  #beginTrips(now: number): boolean {
    if (this.#settings.rule.needs !== 'durations') return false;
    try {
      return this.#meter.begin?.(now) === true;
    } catch (error) {
      this.journal.fault(error);
      return false;
    }
  }

  #endTrips(outcome: Outcome, now: number, startedAt: number): boolean {
    try {
      return this.#meter.end(outcome, now, startedAt);
    } catch (error) {
      this.journal.fault(error);
      return false;
    }
  }

  #follow(phase: HalfOpen, verdict: Verdict, now: number, cause: unknown): void {
    const { attempt } = phase.outage;
    if (verdict === 'closed') this.#to(new Closed(now, attempt, this.#settings.rampMs > 0), undefined);
    if (verdict !== 'open') return;
    this.#to({ state: 'open', outage: this.#outage(attempt + 1, now, phase.failures, cause) }, cause);
  }

  /** False when it may not open. */
  #openFromClosed(cause: unknown): boolean {
    const phase = this.#phase;
    if (phase.state !== 'closed' || !this.journal.ask(this.#mayOpen, true)) return false;
    const now = this.#clocks.exact.now();
    const attempt = phase.attempts(now, this.#settings.attemptDecayMs) + 1;
    const { failures } = this.#meter.counts(now);
    this.#to({ state: 'open', outage: this.#outage(attempt, now, failures, cause) }, cause);
    return true;
  }

  #outage(attempt: number, openedAt: number, failureCount: number, cause: unknown): Outage {
    return outageFrom({ attempt, openedAt, failureCount, cause }, this.#settings, (error) => {
      this.journal.fault(error);
    });
  }

  /** The only place where the state changes. */
  #to(next: Phase, cause: unknown): void {
    const from = this.#phase.state;
    this.#phase = next;
    this.#generation++;
    this.#meter.clear();
    this.#findWay();
    this.journal.changed(from, next.state, cause);
  }

  /** Works out the two short ways of `acquire`. */
  #findWay(): void {
    const { mode, rule } = this.#settings;
    const phase = this.#phase;
    const counting = mode === 'enabled' || mode === 'shadow';
    const free = phase.state === 'closed' && !phase.ramping && this.#holds === 0;
    this.#passing = free && counting && rule.needs !== 'durations';
    this.#refusedUntil = phase.state === 'open' && mode === 'enabled' ? phase.outage.retryAt : 0;
  }
}
