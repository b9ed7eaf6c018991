import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { RetryBudget } from './retry-budget.ts';

const clockAt = (start = 0): { time: number; now(): number } => ({
  time: start,
  now() {
    return this.time;
  },
});

type Step = { readonly kind: 'request' | 'retry' } | { readonly kind: 'wait'; readonly ms: number };

const steps = fc.array(
  fc.oneof(
    fc.constant<Step>({ kind: 'request' }),
    fc.constant<Step>({ kind: 'retry' }),
    fc.integer({ min: 0, max: 30_000 }).map((ms): Step => ({ kind: 'wait', ms })),
  ),
  { maxLength: 300 },
);

describe('RetryBudget', () => {
  test('a quiet client may retry: ten seconds of the floor are there from the start', () => {
    const budget = new RetryBudget({ clock: clockAt() });
    expect(budget.available).toBe(100);
    for (let i = 0; i < 100; i++) expect(budget.tryWithdraw()).toBe(true);
    expect(budget.tryWithdraw()).toBe(false);
  });

  test('five requests earn one retry', () => {
    const budget = new RetryBudget({ minRetriesPerSecond: 0, clock: clockAt() });
    expect(budget.tryWithdraw()).toBe(true);
    for (let i = 0; i < 4; i++) budget.deposit();
    expect(budget.tryWithdraw()).toBe(false);
    budget.deposit();
    expect(budget.available).toBe(1);
    expect(budget.tryWithdraw()).toBe(true);
  });

  test('a second earns the floor', () => {
    const clock = clockAt();
    const budget = new RetryBudget({ minRetriesPerSecond: 2, clock });
    while (budget.tryWithdraw());
    clock.time = 499;
    expect(budget.tryWithdraw()).toBe(false);
    clock.time = 500;
    expect(budget.tryWithdraw()).toBe(true);
  });

  test('nothing is earned with ratio and floor at 0', () => {
    const clock = clockAt();
    const budget = new RetryBudget({ budgetRatio: 0, minRetriesPerSecond: 0, clock });
    clock.time = 1e9;
    for (let i = 0; i < 100; i++) budget.deposit();
    expect(budget.tryWithdraw()).toBe(false);
  });

  test('agrees with a naive bucket, and never exceeds capacity + ratio x requests + floor x time', () => {
    const options = fc.record({
      budgetRatio: fc.constantFrom(0, 0.125, 0.25, 1),
      minRetriesPerSecond: fc.constantFrom(0, 1, 8),
    });
    fc.assert(
      fc.property(options, steps, ({ budgetRatio, minRetriesPerSecond }, schedule) => {
        const clock = clockAt(1000);
        const budget = new RetryBudget({ budgetRatio, minRetriesPerSecond, clock });
        const capacity = Math.max(budgetRatio + minRetriesPerSecond > 0 ? 1 : 0, minRetriesPerSecond * 10);
        // The model counts in integers: 8000 units are one retry.
        const unit = 8000;
        let units = capacity * unit;
        const counts = { requests: 0, retries: 0, ms: 0 };
        for (const step of schedule) {
          if (step.kind === 'wait') {
            clock.time += step.ms;
            counts.ms += step.ms;
            units = Math.min(capacity * unit, units + step.ms * minRetriesPerSecond * 8);
          } else if (step.kind === 'request') {
            counts.requests += 1;
            budget.deposit();
            units = Math.min(capacity * unit, units + budgetRatio * unit);
          } else {
            // Where the two sit on the edge of a whole retry, rounding may decide.
            const edge = Math.abs(units - unit) < 1e-3;
            const allowed = budget.tryWithdraw();
            if (!edge) expect(allowed).toBe(units >= unit);
            if (allowed) units -= unit;
            counts.retries += allowed ? 1 : 0;
          }
        }
        const most = capacity + budgetRatio * counts.requests + (minRetriesPerSecond * counts.ms) / 1000;
        expect(counts.retries).toBeLessThanOrEqual(most + 1e-6);
      }),
    );
  });

  test('a clock that goes back earns nothing', () => {
    const clock = clockAt(10_000);
    const budget = new RetryBudget({ clock });
    while (budget.tryWithdraw());
    clock.time = 0;
    expect(budget.tryWithdraw()).toBe(false);
    clock.time = 10_100;
    expect(budget.available).toBe(1);
  });

  test.each([
    [{ budgetRatio: -0.1 }, 'budgetRatio must be a number from 0 to 1, got -0.1'],
    [{ budgetRatio: 1.5 }, 'budgetRatio must be a number from 0 to 1, got 1.5'],
    [{ budgetRatio: NaN }, 'budgetRatio must be a number from 0 to 1, got NaN'],
    [{ minRetriesPerSecond: Infinity }, 'minRetriesPerSecond must be a finite number >= 0, got Infinity'],
  ])('refuses %j', (options, message) => {
    expect(() => new RetryBudget(options)).toThrow(new RangeError(`resilience: ${message}`));
  });
});
