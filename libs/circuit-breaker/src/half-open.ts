import type { CallPermit } from './call-permit.ts';
import type { Outage } from './outage.ts';

/** The numbers that a verdict is found by. */
export interface TrialLimits {
  readonly trials: number;
  readonly successThreshold: number;
  readonly probeLeaseMs: number;
}

export type Verdict = 'closed' | 'open' | undefined;

/**
 * A half-open circuit and its trials. The verdict comes as early as it is certain: closed with `successThreshold` successes,
 * open when so many trials have failed that these cannot be reached any more. A trial whose lease has run out has failed.
 */
export class HalfOpen {
  readonly state = 'half-open';
  /** The outage before. */
  readonly outage: Outage;
  /** The outage that follows when the trials under way give no answer, once somebody has worked it out. */
  next: Outage | undefined;
  /** Under way, the oldest first: leases are of one length, so it is also the first to run out. */
  readonly #underWay = new Set<CallPermit>();
  #successes = 0;
  #failures = 0;

  constructor(outage: Outage) {
    this.outage = outage;
  }

  get successes(): number {
    return this.#successes;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Trials under way and ended are together never more than `trials`. */
  hasPlace({ trials }: TrialLimits): boolean {
    return this.#underWay.size + this.#successes + this.#failures < trials;
  }

  add(trial: CallPermit): void {
    this.#underWay.add(trial);
  }

  /** The trial gives its place back; false when its lease had run out. */
  remove(trial: CallPermit): boolean {
    return this.#underWay.delete(trial);
  }

  succeed(limits: TrialLimits): Verdict {
    this.#successes++;
    return this.verdict(limits);
  }

  fail(limits: TrialLimits): Verdict {
    this.#failures++;
    return this.verdict(limits);
  }

  /** Asked after each trial, and when the limits have changed. */
  verdict(limits: TrialLimits): Verdict {
    if (this.#successes >= limits.successThreshold) return 'closed';
    return this.#spare(limits) < 0 ? 'open' : undefined;
  }

  /** When the leases of so many trials have run out that the verdict is `open`; Infinity when so many are not under way. */
  lostAt(limits: TrialLimits): number {
    let spare = this.#spare(limits);
    for (const trial of this.#underWay) if (spare-- <= 0) return trial.startedAt + limits.probeLeaseMs;
    return Infinity;
  }

  /** Trials whose lease has run out at `now`, up to the one that brings the verdict. */
  lost(now: number, limits: TrialLimits): readonly CallPermit[] {
    const until = now - limits.probeLeaseMs;
    const lost: CallPermit[] = [];
    for (const trial of this.#underWay) {
      if (trial.startedAt > until || lost.length > this.#spare(limits)) break;
      lost.push(trial);
    }
    return lost;
  }

  /** Failures that the verdict still allows. */
  #spare({ trials, successThreshold }: TrialLimits): number {
    return trials - successThreshold - this.#failures;
  }
}
