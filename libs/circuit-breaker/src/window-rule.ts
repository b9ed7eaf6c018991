import { count, duration, ratio } from './check.ts';
import { CountWindow } from './count-window.ts';
import { failuresInTime } from './failures-in-time.ts';
import type { Outcome } from './gate.ts';
import { InFlight } from './in-flight.ts';
import { TimeWindow } from './time-window.ts';
import type { TripCounts, TripMeter, TripRule } from './trip-rule.ts';
import type { Window } from './window.ts';

/** Which calls count: the latest `windowCalls`, or those of the last `windowMs` milliseconds (default 30 000). Not both. */
export interface WindowOptions {
  readonly windowMs?: number;
  readonly windowCalls?: number;
}

/** Options of {@link windowRule}. */
export interface WindowRuleOptions extends WindowOptions {
  /** Calls that take longer, in milliseconds, are slow; they are counted the moment they are, not when they end. Default: none is. */
  readonly slowAfterMs?: number;
  /** Opens the circuit; asked after each call. */
  readonly trips: (counts: TripCounts) => boolean;
}

/**
 * A rule of your own over a window.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * // Failed and slow calls in one threshold.
 * windowRule({ slowAfterMs: 2000, trips: ({ calls, failures, slow }) => calls >= 20 && failures + slow > calls / 2 });
 */
export function windowRule(options: WindowRuleOptions): TripRule {
  const { slowAfterMs, trips } = options;
  const newWindow = windowOf(options);
  if (slowAfterMs === undefined) {
    const needs = options.windowCalls === undefined ? 'times' : 'outcomes';
    return { needs, meter: () => new WindowMeter(newWindow(), trips) };
  }
  const limitMs = duration('slowAfterMs', slowAfterMs);
  return {
    needs: 'durations',
    slowAfterMs: limitMs,
    meter: () => new DurationMeter(newWindow(), limitMs, trips),
  };
}

/** Opens after so many failures (an integer >= 1, default 3) in the window. @throws RangeError when an option is out of its range. */
export function failureCount({
  failures = 3,
  ...window
}: { readonly failures?: number } & WindowOptions = {}): TripRule {
  const most = count('failures', failures);
  if (window.windowCalls === undefined) {
    return failuresInTime(most, duration('windowMs', window.windowMs ?? 30_000));
  }
  return windowRule({ ...window, trips: (counts) => counts.failures >= most });
}

/** Opens when at least `ratio` (0..1, default 0.5) of the calls in the window failed, and they are at least `minimumCalls` (default 10). @throws RangeError when an option is out of its range. */
export function failureRate(
  options: { readonly ratio?: number; readonly minimumCalls?: number } & WindowOptions = {},
): TripRule {
  const share = ratio('ratio', options.ratio ?? 0.5);
  const least = minimum(options);
  return windowRule({
    ...options,
    trips: ({ calls, failures }) => calls >= least && failures >= share * calls,
  });
}

/** Opens when at least `ratio` (0..1, default 0.5) of the calls in the window took longer than `slowAfterMs`, and they are at least `minimumCalls` (default 10). @throws RangeError when an option is out of its range. */
export function slowCallRate(
  options: {
    readonly slowAfterMs: number;
    readonly ratio?: number;
    readonly minimumCalls?: number;
  } & WindowOptions,
): TripRule {
  const share = ratio('ratio', options.ratio ?? 0.5);
  const least = minimum(options);
  return windowRule({ ...options, trips: ({ calls, slow }) => calls >= least && slow >= share * calls });
}

/** More calls than the window holds never come together; resilience4j clamps in the same way. */
function minimum({
  minimumCalls = 10,
  windowCalls = Infinity,
}: {
  readonly minimumCalls?: number;
  readonly windowCalls?: number;
}): number {
  return Math.min(count('minimumCalls', minimumCalls), windowCalls);
}

function windowOf({ windowMs, windowCalls }: WindowOptions): () => Window {
  if (windowCalls === undefined) {
    const lengthMs = duration('windowMs', windowMs ?? 30_000);
    return () => new TimeWindow(lengthMs);
  }
  if (windowMs !== undefined) {
    throw new RangeError(
      `circuitBreaker: give windowMs or windowCalls, not both (${windowMs}, ${windowCalls})`,
    );
  }
  const size = count('windowCalls', windowCalls);
  return () => new CountWindow(size);
}

class WindowMeter implements TripMeter {
  readonly #window: Window;
  readonly #trips: (counts: TripCounts) => boolean;

  constructor(window: Window, trips: (counts: TripCounts) => boolean) {
    this.#window = window;
    this.#trips = trips;
  }

  end(outcome: Outcome, now: number): boolean {
    this.#window.record(outcome === 'failure', false, now);
    return this.#trips(this.#window);
  }

  counts(now: number): TripCounts {
    this.#window.catchUp(now);
    return this.#window;
  }

  clear(): void {
    this.#window.clear();
  }
}

/** Times every call. One that is overdue is recorded at once, as slow, and not again when it ends. */
class DurationMeter implements TripMeter {
  readonly #window: Window;
  readonly #limitMs: number;
  readonly #trips: (counts: TripCounts) => boolean;
  readonly #inFlight: InFlight;

  constructor(window: Window, limitMs: number, trips: (counts: TripCounts) => boolean) {
    this.#window = window;
    this.#limitMs = limitMs;
    this.#trips = trips;
    this.#inFlight = new InFlight(limitMs);
  }

  begin(now: number): boolean {
    const overdue = this.#recordOverdue(now);
    this.#inFlight.begin(now);
    return overdue && this.#trips(this.#window);
  }

  end(outcome: Outcome, now: number, startedAt: number): boolean {
    let changed = this.#recordOverdue(now);
    if (this.#inFlight.end(startedAt) && outcome !== 'ignored') {
      this.#window.record(outcome === 'failure', now - startedAt > this.#limitMs, now);
      changed = true;
    }
    return changed && this.#trips(this.#window);
  }

  counts(now: number): TripCounts {
    this.#recordOverdue(now);
    this.#window.catchUp(now);
    return this.#window;
  }

  clear(): void {
    this.#window.clear();
    this.#inFlight.clear();
  }

  #recordOverdue(now: number): boolean {
    const overdue = this.#inFlight.takeOverdue(now);
    for (let call = 0; call < overdue; call++) this.#window.record(false, true, now);
    return overdue > 0;
  }
}
