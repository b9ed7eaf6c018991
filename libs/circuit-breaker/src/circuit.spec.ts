import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { Outcome, Permit } from './gate.ts';
import type { CircuitState } from './snapshot.ts';

interface Law {
  readonly maximumFailures: number;
  readonly windowMs: number;
  readonly resetMs: number;
  readonly successThreshold: number;
  readonly leaseMs: number;
}

interface ModelCall {
  readonly epoch: number;
  readonly startedAt: number;
  settled: boolean;
}

/**
 * The law once more, naively: time passes millisecond by millisecond, every arrow is taken the moment it is due, all events are
 * remembered. Nothing here is lazy, shared or counted ahead.
 */
class Model {
  readonly #law: Law;
  now = 0;
  state: CircuitState = 'closed';
  epoch = 0;
  openedAt = 0;
  failures: number[] = [];
  failuresThatOpened = 0;
  trials: ModelCall[] = [];
  successes = 0;
  totals = { success: 0, failure: 0, ignored: 0, rejected: 0 };

  constructor(law: Law) {
    this.#law = law;
  }

  pass(ms: number): void {
    for (let tick = 0; tick < ms; tick++) {
      this.now++;
      if (
        this.state === 'half-open' &&
        this.trials.some((trial) => this.now - trial.startedAt >= this.#law.leaseMs)
      ) {
        this.totals.failure++;
        this.#enter('open', 1);
      }
      if (this.state === 'open' && this.now - this.openedAt >= this.#law.resetMs)
        this.#enter('half-open', this.failuresThatOpened);
    }
  }

  acquire(): ModelCall | undefined {
    const call: ModelCall = { epoch: this.epoch, startedAt: this.now, settled: false };
    if (this.state === 'closed') return call;
    if (!this.available) {
      this.totals.rejected++;
      return undefined;
    }
    this.trials.push(call);
    return call;
  }

  settle(call: ModelCall, outcome: Outcome): void {
    if (call.settled) return;
    call.settled = true;
    if (call.epoch !== this.epoch) return;
    this.totals[outcome]++;
    if (this.state === 'closed') {
      if (outcome !== 'failure') return;
      this.failures.push(this.now);
      if (this.failureCount >= this.#law.maximumFailures) this.#enter('open', this.failureCount);
      return;
    }
    this.trials = this.trials.filter((trial) => trial !== call);
    if (outcome === 'failure') this.#enter('open', 1);
    if (outcome === 'success' && ++this.successes >= this.#law.successThreshold) this.#enter('closed', 0);
  }

  reset(): void {
    this.#enter('closed', 0);
  }

  get available(): boolean {
    if (this.state === 'half-open') return this.trials.length + this.successes < this.#law.successThreshold;
    return this.state === 'closed';
  }

  get failureCount(): number {
    if (this.state !== 'closed') return this.failuresThatOpened;
    const slot = (time: number): number => Math.floor(time / (this.#law.windowMs / 10));
    return this.failures.filter((time) => slot(this.now) - slot(time) <= 10).length;
  }

  get retryAfterMs(): number {
    return this.state === 'open' ? this.openedAt + this.#law.resetMs - this.now : 0;
  }

  #enter(state: CircuitState, failuresThatOpened: number): void {
    this.state = state;
    this.epoch++;
    this.failuresThatOpened = failuresThatOpened;
    this.failures = [];
    this.trials = [];
    this.successes = 0;
    if (state === 'open') this.openedAt = this.now;
  }
}

interface Pair {
  readonly breaker: CircuitBreaker;
  readonly model: Model;
  readonly permits: (Permit | undefined)[];
  readonly calls: (ModelCall | undefined)[];
}

function pair(law: Law): Pair {
  const model = new Model(law);
  const breaker = new CircuitBreaker({
    maximumFailuresAllowed: law.maximumFailures,
    timeWindowInMilliseconds: law.windowMs,
    resetTimeoutInMilliseconds: law.resetMs,
    successThreshold: law.successThreshold,
    probeLeaseMs: law.leaseMs,
    clock: { now: () => model.now },
  });
  return { breaker, model, permits: [], calls: [] };
}

interface Heard {
  readonly told: { success: number; failure: number; ignored: number; rejected: number };
  readonly path: CircuitState[];
}

function hear(breaker: CircuitBreaker): Heard {
  const heard: Heard = { told: { success: 0, failure: 0, ignored: 0, rejected: 0 }, path: ['closed'] };
  for (const type of ['success', 'failure', 'ignored', 'rejected'] as const) {
    breaker.on(type, () => heard.told[type]++);
  }
  breaker.on('stateChange', ({ from, to }) => {
    // What a listener throws hurts nobody, so a broken chain has to show in the path.
    heard.path.push(...(from === heard.path.at(-1) ? [] : [from]), to);
  });
  return heard;
}

function expectAlike({ breaker, model }: Pair): void {
  const snapshot = breaker.getSnapshot();
  expect({
    state: breaker.state,
    available: breaker.available,
    retryAfterMs: breaker.retryAfterMs,
    seenState: snapshot.state,
    failureCount: snapshot.failureCount,
    successCount: snapshot.successCount,
    totals: snapshot.totals,
    openedAt: snapshot.openedAt,
  }).toEqual({
    state: model.state,
    available: model.available,
    retryAfterMs: model.retryAfterMs,
    seenState: model.state,
    failureCount: model.failureCount,
    successCount: model.successes,
    totals: model.totals,
    openedAt: model.state === 'closed' ? undefined : model.openedAt,
  });
}

type Step =
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'acquire' }
  | { readonly do: 'settle'; readonly which: number; readonly outcome: Outcome }
  | { readonly do: 'reset' };

function take(both: Pair, step: Step): void {
  const { breaker, model, permits, calls } = both;
  switch (step.do) {
    case 'pass':
      model.pass(step.ms);
      return;
    case 'acquire':
      permits.push(breaker.tryAcquire());
      calls.push(model.acquire());
      if ((permits.at(-1) === undefined) !== (calls.at(-1) === undefined))
        throw new Error('one of them refused');
      return;
    case 'settle': {
      if (calls.length === 0) return;
      // From the newest backwards: a settle mostly meets a call that is still under way.
      const index = calls.length - 1 - (step.which % calls.length);
      const call = calls[index];
      permits[index]?.settle(step.outcome);
      if (call !== undefined) model.settle(call, step.outcome);
      return;
    }
    case 'reset':
      breaker.reset();
      model.reset();
      return;
    default:
      step satisfies never;
  }
}

const outcomes = ['success', 'failure', 'ignored'] as const;

describe('against the naive model', () => {
  const law: fc.Arbitrary<Law> = fc.record({
    maximumFailures: fc.integer({ min: 1, max: 4 }),
    windowMs: fc.constantFrom(10, 40, 100),
    resetMs: fc.constantFrom(1, 20, 50),
    successThreshold: fc.integer({ min: 1, max: 3 }),
    leaseMs: fc.constantFrom(1, 15, 50),
  });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 20, arbitrary: fc.record({ do: fc.constant('acquire' as const) }) },
    {
      weight: 25,
      arbitrary: fc.record({
        do: fc.constant('settle' as const),
        which: fc.oneof(fc.nat(2), fc.nat(50)),
        outcome: fc.oneof(
          { weight: 2, arbitrary: fc.constant('failure' as const) },
          fc.constantFrom(...outcomes),
        ),
      }),
    },
    {
      weight: 15,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        ms: fc.oneof(fc.nat(5), fc.nat(60), fc.constantFrom(14, 15, 16, 19, 20, 21, 49, 50, 51, 100, 110)),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
  );

  test('every schedule of calls, outcomes and time gives the same circuit', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(law, fc.array(step, { minLength: 10, maxLength: 120 }), (rules, script) => {
        const both = pair(rules);
        const { told, path } = hear(both.breaker);
        for (const next of script) {
          take(both, next);
          expectAlike(both);
        }
        // A last call takes the arrows that time has drawn, so that all of them have been told.
        take(both, { do: 'acquire' });
        expect(told).toEqual(both.model.totals);
        expect(path.at(-1)).toBe(both.model.state);
        for (let index = 1; index < path.length; index++)
          reached.add(`${path[index - 1] ?? ''} > ${path[index] ?? ''}`);
      }),
      { numRuns: 600 },
    );
    // The schedules did go everywhere; the last arrow is reset's.
    expect([...reached].sort()).toEqual([
      'closed > open',
      'half-open > closed',
      'half-open > open',
      'open > closed',
      'open > half-open',
    ]);
  });

  test('no schedule holds the circuit shut: after break, lease and break it accepts a call', () => {
    fc.assert(
      fc.property(law, fc.array(step, { maxLength: 60 }), (rules, script) => {
        const both = pair(rules);
        for (const next of script) take(both, next);
        both.model.pass(rules.resetMs + rules.leaseMs + rules.resetMs);
        expect(both.breaker.available).toBe(true);
        expect(both.breaker.tryAcquire()).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe('generation isolation, exhaustively', () => {
  const law: Law = { maximumFailures: 1, windowMs: 10, resetMs: 5, successThreshold: 1, leaseMs: 3 };
  const deepest = 7;
  const alphabet: readonly Step[] = [
    { do: 'acquire' },
    { do: 'pass', ms: 3 },
    { do: 'pass', ms: 5 },
    { do: 'reset' },
    ...[0, 1, 2].flatMap((which) => outcomes.map((outcome): Step => ({ do: 'settle', which, outcome }))),
  ];

  /** Only steps that can matter: at most three calls, each settled at most once after it began. */
  function* next(script: readonly Step[]): Generator<Step> {
    const begun = script.filter((step) => step.do === 'acquire').length;
    for (const step of alphabet) {
      if (step.do === 'acquire' && begun === 3) continue;
      if (step.do === 'settle' && step.which >= begun) continue;
      if (step.do === 'settle' && script.some((other) => other.do === 'settle' && other.which === step.which))
        continue;
      if (step.do === 'reset' && script.some((other) => other.do === 'reset')) continue;
      yield step;
    }
  }

  function play(script: readonly Step[], successThreshold: number): number {
    const both = pair({ ...law, successThreshold });
    const { breaker, model, permits, calls } = both;
    let late = 0;
    for (const step of script) {
      const call = step.do === 'settle' ? calls[step.which] : undefined;
      const isLate = call !== undefined && call.epoch !== model.epoch;
      const before = isLate ? breaker.getSnapshot() : undefined;
      if (step.do === 'settle') {
        permits[step.which]?.settle(step.outcome);
        if (call !== undefined) model.settle(call, step.outcome);
      } else take(both, step);
      if (isLate) {
        late++;
        if (breaker.getSnapshot() !== before)
          throw new Error(`changed by a late result: ${JSON.stringify(script)}`);
      }
    }
    if (breaker.state !== model.state || breaker.available !== model.available) {
      throw new Error(`${breaker.state}, not ${model.state}: ${JSON.stringify(script)}`);
    }
    return late;
  }

  test.each([1, 2])(
    'of up to three calls no late result changes anything (success threshold %d)',
    (threshold) => {
      let scripts = 0;
      let late = 0;
      const walk = (script: readonly Step[]): void => {
        if (script.length > 0) {
          late += play(script, threshold);
          scripts++;
        }
        if (script.length === deepest) return;
        for (const step of next(script)) walk([...script, step]);
      };
      walk([]);
      expect(scripts).toBeGreaterThan(10_000);
      expect(late).toBeGreaterThan(1_000);
    },
  );
});
