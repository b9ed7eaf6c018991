import type { Outcome } from './gate.ts';

/**
 * What a rule must be told. Reading the clock is the dearest part of a call, so that a rule asks for no more than it needs.
 *
 * - `failures`: each failed call, with the time.
 * - `outcomes`: each call, without the time (it is 0).
 * - `times`: each call, with the time of its end.
 * - `durations`: each call when it begins and when it ends, an ignored one too.
 */
export type Needs = 'failures' | 'outcomes' | 'times' | 'durations';

/** What a meter has counted. */
export interface TripCounts {
  /** Calls in the window; for rules that are told of failures only, the same as `failures`. */
  readonly calls: number;
  readonly failures: number;
  /** Calls that took, or have already taken, too long. */
  readonly slow: number;
}

/** When a closed circuit opens: a recipe, from which every circuit gets a meter of its own. */
export interface TripRule {
  readonly needs: Needs;
  /** Calls that take longer, in milliseconds, count as slow; a trial that does has failed. */
  readonly slowAfterMs?: number;
  meter(): TripMeter;
}

/** The memory of one circuit for one rule. Times are milliseconds of the circuit's clock. */
export interface TripMeter {
  /** A call begins (only told when the rule needs durations). @returns true to open the circuit. */
  begin?(now: number): boolean;
  /** A call ended. `startedAt` is 0 unless the rule needs durations. @returns true to open the circuit. */
  end(outcome: Outcome, now: number, startedAt: number): boolean;
  counts(now: number): TripCounts;
  clear(): void;
}

const rank: readonly Needs[] = ['failures', 'outcomes', 'times', 'durations'];

/** What serves both; failures with their times and outcomes without make times. */
function both(a: Needs, b: Needs): Needs {
  const [less, more] = rank.indexOf(a) <= rank.indexOf(b) ? [a, b] : [b, a];
  return less === 'failures' && more === 'outcomes' ? 'times' : more;
}

/** Opens as soon as one of the rules does; the first one gives the counts. @throws RangeError without a rule. */
export function any(...rules: readonly [TripRule, ...TripRule[]]): TripRule {
  if (rules.length === 0) throw new RangeError('circuitBreaker: any() needs at least one rule');
  const limits = rules.flatMap(({ slowAfterMs }) => slowAfterMs ?? []);
  return {
    needs: rules.map((rule) => rule.needs).reduce(both),
    ...(limits.length > 0 && { slowAfterMs: Math.min(...limits) }),
    meter: () => new AnyMeter(rules),
  };
}

class AnyMeter implements TripMeter {
  readonly #parts: readonly { readonly needs: Needs; readonly meter: TripMeter }[];

  constructor(rules: readonly TripRule[]) {
    this.#parts = rules.map((rule) => ({ needs: rule.needs, meter: rule.meter() }));
  }

  begin(now: number): boolean {
    let open = false;
    for (const { needs, meter } of this.#parts) {
      if (needs === 'durations' && meter.begin?.(now) === true) open = true;
    }
    return open;
  }

  end(outcome: Outcome, now: number, startedAt: number): boolean {
    let open = false;
    for (const { needs, meter } of this.#parts) {
      if (isTold(needs, outcome) && meter.end(outcome, now, startedAt)) open = true;
    }
    return open;
  }

  counts(now: number): TripCounts {
    return this.#parts[0]?.meter.counts(now) ?? { calls: 0, failures: 0, slow: 0 };
  }

  clear(): void {
    for (const { meter } of this.#parts) meter.clear();
  }
}

/** Whether a rule with these needs is told of a call that ended so. */
export function isTold(needs: Needs, outcome: Outcome): boolean {
  if (needs === 'durations') return true;
  return outcome === 'failure' || (outcome === 'success' && needs !== 'failures');
}
