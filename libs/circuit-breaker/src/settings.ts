import { retryAfterOf, type BreakDuration } from './break-duration.ts';
import { count, duration } from './check.ts';
import { failuresInTime } from './failures-in-time.ts';
import type { CircuitMode, CircuitTuning } from './options.ts';
import type { TripRule } from './trip-rule.ts';

/** The numbers of the law, checked. */
export interface Settings {
  readonly rule: TripRule;
  readonly breakDuration: BreakDuration;
  readonly retryAfterMs: (cause: unknown) => number | undefined;
  readonly attemptDecayMs: number;
  readonly successThreshold: number;
  readonly trials: number;
  readonly probeLeaseMs: number;
  readonly rampMs: number;
  readonly mode: CircuitMode;
}

/** What a circuit was told, and what follows from it. */
export interface Tuned {
  readonly tuning: CircuitTuning;
  readonly settings: Settings;
}

let latest: Tuned | undefined;

/** The settings that were asked for last serve again: breakers come in sets, and nothing in here is one breaker's own. @throws RangeError naming the option and its value. */
export function readTuning(tuning: CircuitTuning): Tuned {
  if (latest === undefined || !alike(latest.tuning, tuning)) {
    latest = { tuning, settings: readSettings(tuning, ruleOf(tuning)) };
  }
  return latest;
}

function alike(a: CircuitTuning, b: CircuitTuning): boolean {
  const options = Object.keys(a) as (keyof CircuitTuning)[];
  return options.length === Object.keys(b).length && options.every((option) => a[option] === b[option]);
}

function readSettings(tuning: CircuitTuning, rule: TripRule): Settings {
  const {
    resetTimeoutInMilliseconds: breakDuration = 30_000,
    retryAfterMs = retryAfterOf,
    attemptDecayMs = 60_000,
    successThreshold = 2,
    trials = successThreshold,
    rampMs = 0,
    mode = 'enabled',
  } = tuning;
  const fixed = typeof breakDuration === 'number';
  if (fixed) duration('resetTimeoutInMilliseconds', breakDuration);
  return {
    rule,
    breakDuration,
    retryAfterMs,
    attemptDecayMs: duration('attemptDecayMs', attemptDecayMs),
    successThreshold: count('successThreshold', successThreshold),
    trials: count('trials', trials, successThreshold),
    probeLeaseMs: duration('probeLeaseMs', tuning.probeLeaseMs ?? (fixed ? breakDuration : 30_000)),
    rampMs: rampMs === 0 ? 0 : duration('rampMs', rampMs),
    mode: modeOf(mode),
  };
}

/** What holds after a change: of the two ways to say when a circuit trips, the one named last takes the place of the other. */
export function changeTuning(tuning: CircuitTuning, changes: CircuitTuning): CircuitTuning {
  const named =
    changes.tripWhen === undefined ? ['tripWhen'] : ['maximumFailuresAllowed', 'timeWindowInMilliseconds'];
  const replaced = namesRule(changes) ? named : [];
  const kept = Object.entries(tuning).filter(([option]) => !replaced.includes(option));
  return { ...Object.fromEntries(kept), ...changes };
}

/** The settings of a changed tuning. Unless the change names a rule it stays the very same: a new one counts anew. @throws RangeError naming the option and its value. */
export function changeSettings({ rule }: Settings, tuning: CircuitTuning, changes: CircuitTuning): Settings {
  return readSettings(tuning, namesRule(changes) ? ruleOf(tuning) : rule);
}

function namesRule({ tripWhen, maximumFailuresAllowed, timeWindowInMilliseconds }: CircuitTuning): boolean {
  return (tripWhen ?? maximumFailuresAllowed ?? timeWindowInMilliseconds) !== undefined;
}

function ruleOf({ tripWhen, maximumFailuresAllowed, timeWindowInMilliseconds }: CircuitTuning): TripRule {
  const counted = maximumFailuresAllowed ?? timeWindowInMilliseconds;
  if (tripWhen === undefined) {
    const most = count('maximumFailuresAllowed', maximumFailuresAllowed ?? 3);
    return failuresInTime(most, duration('timeWindowInMilliseconds', timeWindowInMilliseconds ?? 30_000));
  }
  if (counted === undefined) return tripWhen;
  throw new RangeError(
    `circuitBreaker: tripWhen takes the place of maximumFailuresAllowed and timeWindowInMilliseconds, got ${counted} as well`,
  );
}

const modes: readonly string[] = ['enabled', 'shadow', 'disabled', 'forced-open'];

function modeOf(mode: CircuitMode): CircuitMode {
  if (modes.includes(mode)) return mode;
  throw new RangeError(
    `circuitBreaker: mode must be one of ${modes.join(', ')}, got ${JSON.stringify(mode)}`,
  );
}
