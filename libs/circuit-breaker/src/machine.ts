import { CallPermit, type PermitOwner } from './call-permit.ts';
import { lostTrialError, type Refusal } from './errors.ts';
import type { Events } from './events.ts';
import type { Outcome } from './gate.ts';
import type { Settings } from './options.ts';
import { RollingWindow } from './rolling-window.ts';
import { renewSnapshot, type CircuitSnapshot, type CircuitState } from './snapshot.ts';
import { Tally } from './tally.ts';

type Phase = { readonly state: 'closed' } | { readonly state: 'open'; readonly outage: Outage } | HalfOpen;

interface HalfOpen {
  readonly state: 'half-open';
  readonly outage: Outage;
  /** Under way, the oldest first: leases are of one length, so it is also the first to run out. */
  readonly trials: Set<CallPermit>;
  successes: number;
}

/** Why and since when the circuit is not closed. */
interface Outage {
  readonly openedAt: number;
  readonly retryAt: number;
  readonly failureCount: number;
  readonly cause: unknown;
}

const closed: Phase = { state: 'closed' };

/**
 * The law of the circuit, synchronous and without timers.
 *
 * ```
 *            maximumFailures within the window
 *   closed ------------------------------------> open <---------.
 *     ^                                           |             |
 *     | successThreshold                          | reset       | a trial fails, or
 *     | trials succeeded                          v timeout     | its lease runs out
 *     '--------------------------------------- half-open -------'
 * ```
 *
 * - Every arrow (and `reset`) starts a new generation. A permit belongs to the generation that gave it; what it says in a later one
 *   changes nothing.
 * - Time only passes when somebody looks. Reading works out what is due and changes nothing; the arrows that time
 *   draws are taken by the next call, dated when they were due.
 * - Half-open, trials under way and trials that succeeded are together never more than `successThreshold`: a sick service gets no call
 *   that the verdict does not need. An ignored trial gives its place back.
 */
export class CircuitMachine implements PermitOwner {
  readonly settings: Settings;
  readonly #events: Events;
  readonly #tally: Tally;
  readonly #window: RollingWindow;
  #phase: Phase = closed;
  #generation = 0;
  #snapshot: CircuitSnapshot | undefined;

  constructor(settings: Settings, events: Events) {
    this.settings = settings;
    this.#events = events;
    this.#tally = new Tally(settings.name, events);
    this.#window = new RollingWindow(settings.windowMs);
  }

  get generation(): number {
    return this.#generation;
  }

  /** Whether calls pass without being counted as trials. */
  get passing(): boolean {
    return this.#phase === closed;
  }

  get state(): CircuitState {
    return this.#phase === closed ? 'closed' : this.#stateAt(this.settings.clock.now());
  }

  get retryAfterMs(): number {
    return this.#phase === closed ? 0 : this.#retryAfterMs(this.settings.clock.now());
  }

  get available(): boolean {
    const phase = this.#phase;
    if (phase.state === 'closed') return true;
    const now = this.settings.clock.now();
    const outage = this.#outageAt(now);
    if (outage !== undefined) return now >= outage.retryAt;
    return phase.state === 'half-open' && this.#hasPlace(phase);
  }

  /** A permit, or the reason why not. */
  acquire(): CallPermit | Refusal {
    if (this.#phase === closed) return new CallPermit(this, this.#generation, undefined);
    const now = this.settings.clock.now();
    this.#catchUp(now);
    const answer = this.#admitTrial(now) ?? this.#refuse(now);
    this.#tell();
    return answer;
  }

  /** The end of a call that was let through while closed. */
  settleCall(generation: number, outcome: Outcome, error: unknown): void {
    if (generation !== this.#generation) return;
    this.#tally.settled(outcome, error);
    if (outcome === 'failure') {
      const now = this.settings.clock.now();
      const failureCount = this.#window.record(now);
      if (failureCount >= this.settings.maximumFailures) this.#open(now, failureCount, error);
    }
    this.#tell();
  }

  /** The end of a trial. */
  settleTrial(trial: CallPermit, outcome: Outcome, error: unknown): void {
    if (trial.generation !== this.#generation) return;
    const now = this.settings.clock.now();
    this.#loseTrial(now);
    const phase = this.#phase;
    // Still half-open, unless its own lease or that of an older trial had run out by now.
    if (phase.state === 'half-open') {
      phase.trials.delete(trial);
      this.#tally.settled(outcome, error);
      if (outcome === 'failure') this.#open(now, 1, error);
      else if (outcome === 'success' && ++phase.successes >= this.settings.successThreshold) {
        this.#to(closed, undefined);
      }
    }
    this.#tell();
  }

  /** Closes the circuit and forgets its failures; calls under way no longer count. */
  reset(): void {
    // A trial that is lost by now was a failure, even if nobody has looked since.
    this.#loseTrial(this.settings.clock.now());
    this.#to(closed, undefined);
    this.#tell();
  }

  snapshot(): CircuitSnapshot {
    const now = this.settings.clock.now();
    const phase = this.#phase;
    const due = this.#outageAt(now);
    const outage = due ?? (phase.state === 'closed' ? undefined : phase.outage);
    const lost = due !== undefined && phase.state === 'half-open' ? 1 : 0;
    this.#snapshot = renewSnapshot(this.#snapshot, {
      name: this.settings.name,
      state: this.#stateAt(now),
      failureCount: outage === undefined ? this.#window.count(now) : outage.failureCount,
      successCount: phase.state === 'half-open' && due === undefined ? phase.successes : 0,
      totals: this.#tally.totals(lost),
      retryAfterMs: this.#retryAfterMs(now),
      ...(outage !== undefined && { openedAt: outage.openedAt }),
    });
    return this.#snapshot;
  }

  /** The outage of a circuit that is open at `now`, or that a lost trial has opened by then; it may be over. */
  #outageAt(now: number): Outage | undefined {
    const phase = this.#phase;
    if (phase.state === 'open') return phase.outage;
    if (phase.state === 'closed') return undefined;
    const [oldest] = phase.trials;
    const leaseEnd = (oldest?.startedAt ?? now) + this.settings.probeLeaseMs;
    return now < leaseEnd ? undefined : this.#outage(leaseEnd, 1, undefined);
  }

  #stateAt(now: number): CircuitState {
    if (this.#phase === closed) return 'closed';
    const outage = this.#outageAt(now);
    return outage !== undefined && now < outage.retryAt ? 'open' : 'half-open';
  }

  #retryAfterMs(now: number): number {
    const outage = this.#outageAt(now);
    return outage === undefined ? 0 : Math.max(0, Math.ceil(outage.retryAt - now));
  }

  /** Takes the arrows that time has drawn since the last call. */
  #catchUp(now: number): void {
    this.#loseTrial(now);
    const phase = this.#phase;
    if (phase.state !== 'open' || now < phase.outage.retryAt) return;
    const { outage } = phase;
    this.#to({ state: 'half-open', outage, trials: new Set(), successes: 0 }, outage.cause);
  }

  #loseTrial(now: number): void {
    if (this.#phase.state !== 'half-open') return;
    const outage = this.#outageAt(now);
    if (outage === undefined) return;
    const cause = lostTrialError(this.settings.name, this.settings.probeLeaseMs);
    this.#tally.settled('failure', cause);
    this.#to({ state: 'open', outage: { ...outage, cause } }, cause);
  }

  #admitTrial(now: number): CallPermit | undefined {
    const phase = this.#phase;
    if (phase.state !== 'half-open' || !this.#hasPlace(phase)) return undefined;
    const trial = new CallPermit(this, this.#generation, now);
    phase.trials.add(trial);
    return trial;
  }

  #hasPlace({ trials, successes }: HalfOpen): boolean {
    return trials.size + successes < this.settings.successThreshold;
  }

  #refuse(now: number): Refusal {
    const phase = this.#phase;
    return this.#tally.refused({
      circuit: this.settings.name,
      reason: phase.state === 'open' ? 'open' : 'half-open-full',
      retryAfterMs: this.#retryAfterMs(now),
      cause: phase.state === 'closed' ? undefined : phase.outage.cause,
    });
  }

  #outage(openedAt: number, failureCount: number, cause: unknown): Outage {
    return { openedAt, retryAt: openedAt + this.settings.resetTimeoutMs, failureCount, cause };
  }

  #open(now: number, failureCount: number, cause: unknown): void {
    this.#to({ state: 'open', outage: this.#outage(now, failureCount, cause) }, cause);
  }

  /** The only place where the state changes. */
  #to(next: Phase, cause: unknown): void {
    const from = this.#phase.state;
    this.#phase = next;
    this.#generation++;
    this.#window.clear();
    if (from !== next.state && this.#events.active) {
      this.#events.push('stateChange', { circuit: this.settings.name, from, to: next.state, cause });
    }
  }

  /** Last step of every change: listeners see it finished, and may call back in. */
  #tell(): void {
    if (this.#events.active) this.#events.flush();
  }
}
