import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { exponentialBreak, retryAfterOf, type ExponentialBreakOptions } from './break-duration.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { boom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { virtual, type VirtualBreaker } from './testing/virtual-breaker.ts';

trapRejections();

const opening = (attempt: number): { attempt: number; failureCount: number; cause: unknown } => ({
  attempt,
  failureCount: 1,
  cause: boom,
});

describe('exponentialBreak', () => {
  test('doubles from 5 s to 300 s, and draws the upper half of it by lot', () => {
    const [shortest, longest] = [0.999_999, 0].map((drawn) => exponentialBreak({ random: () => drawn }));
    const attempts = [1, 2, 3, 7, 8, 100];
    expect(attempts.map((attempt) => longest?.(opening(attempt)))).toEqual([
      5_000, 10_000, 20_000, 300_000, 300_000, 300_000,
    ]);
    expect(attempts.map((attempt) => Math.round(shortest?.(opening(attempt)) ?? 0))).toEqual([
      2_500, 5_000, 10_000, 150_000, 150_000, 150_000,
    ]);
  });

  test('draws by Math.random unless told otherwise', () => {
    const breakMs = exponentialBreak({ initialMs: 100 });
    const drawn = Array.from({ length: 50 }, () => breakMs(opening(1)));
    expect(drawn.every((ms) => ms >= 50 && ms <= 100)).toBe(true);
    expect(new Set(drawn).size).toBeGreaterThan(1);
  });

  test('is a number in its range for every attempt from 0 to 5000, whatever the options (cockatiel#86, Polly#2163)', () => {
    fc.assert(
      fc.property(
        fc.record({
          initialMs: fc.constantFrom(1, 100, 1e300),
          maxMs: fc.constantFrom(1, 5_000, 1e308),
          factor: fc.constantFrom(1, 1.5, 2, 1e10),
          jitterRatio: fc.constantFrom(0, 0.5, 1),
        }),
        fc.nat(5_000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (options, attempt, drawn) => {
          const ms = exponentialBreak({ ...options, random: () => drawn })(opening(attempt));
          const full = Math.min(options.maxMs, options.initialMs * options.factor ** (attempt - 1));
          expect(ms).toBeGreaterThan(0);
          expect(ms).toBeLessThanOrEqual(full);
          expect(ms).toBeGreaterThanOrEqual(full * (1 - options.jitterRatio));
        },
      ),
    );
  });

  test.each<[ExponentialBreakOptions, string]>([
    [{ initialMs: 0 }, 'initialMs must be a number > 0 (milliseconds), got 0'],
    [{ maxMs: Infinity }, 'maxMs must be a number > 0 (milliseconds), got Infinity'],
    [{ factor: 0.9 }, 'factor must be a number >= 1, got 0.9'],
    [{ factor: Infinity }, 'factor must be a number >= 1, got Infinity'],
    [{ factor: NaN }, 'factor must be a number >= 1, got NaN'],
    [{ jitterRatio: -0.1 }, 'jitterRatio must be a ratio from 0 to 1, got -0.1'],
    [{ jitterRatio: 1.1 }, 'jitterRatio must be a ratio from 0 to 1, got 1.1'],
  ])('refuses %j', (options, complaint) => {
    expect(() => exponentialBreak(options)).toThrow(new RangeError(`circuitBreaker: ${complaint}`));
  });

  test.each<ExponentialBreakOptions>([{ factor: 1 }, { jitterRatio: 0 }, { jitterRatio: 1 }])(
    'takes the bounds: %j',
    (options) => {
      expect(exponentialBreak({ ...options, random: () => 0 })(opening(1))).toBe(5_000);
    },
  );
});

test('retryAfterOf reads a number, and nothing else', () => {
  expect(retryAfterOf(Object.assign(new Error('busy'), { retryAfterMs: 7 }))).toBe(7);
  for (const cause of [undefined, null, 'text', {}, { retryAfterMs: '7' }, boom]) {
    expect(retryAfterOf(cause)).toBeUndefined();
  }
});

describe('the break of a circuit', () => {
  const brief = (options: CircuitBreakerOptions = {}): VirtualBreaker =>
    virtual({ maximumFailuresAllowed: 1, successThreshold: 1, ...options });

  /** Fails a call, or a trial. @returns the break that follows. */
  function openedFor({ breaker }: VirtualBreaker, error: unknown = boom): number {
    breaker.tryAcquire()?.settle('failure', error);
    return breaker.retryAfterMs;
  }

  function recover({ breaker, pass }: VirtualBreaker): void {
    pass(breaker.retryAfterMs);
    breaker.tryAcquire()?.settle('success');
  }

  test('is worked out at each opening, from its attempt, failures and cause', () => {
    const seen: unknown[] = [];
    const both = brief({
      maximumFailuresAllowed: 2,
      resetTimeoutInMilliseconds: ({ attempt, failureCount, cause }) => {
        seen.push([attempt, failureCount, cause]);
        return attempt * 10;
      },
    });
    both.breaker.tryAcquire()?.settle('failure');
    expect(openedFor(both)).toBe(10);
    both.pass(10);
    expect(openedFor(both, 'again')).toBe(20);
    expect(seen).toEqual([
      [1, 2, boom],
      [2, 1, 'again'],
    ]);
  });

  test.each([
    ['throws', boom, [boom]],
    ['is NaN', NaN, []],
    ['is 0', 0, []],
    ['is below 0', -1, []],
    ['is without end', Infinity, []],
  ])('is 30 s when its function %s', (_, answer, expected) => {
    const both = brief({
      resetTimeoutInMilliseconds: () => {
        if (answer instanceof Error) throw answer;
        return answer;
      },
    });
    const faults: unknown[] = [];
    both.breaker.on('fault', ({ error }) => faults.push(error));
    expect(openedFor(both)).toBe(30_000);
    expect(faults).toEqual(expected);
  });

  test.each([
    ['longer: that long', 500, 500],
    ['shorter: as long as planned', 50, 100],
    ['longer than an hour: an hour', 1e9, 3_600_000],
    ['for ever: an hour', Infinity, 3_600_000],
    ['nonsense: as long as planned', NaN, 100],
    ['below zero: as long as planned', -5, 100],
  ])('when the failure asks for one that is %s', (_, retryAfterMs, expected) => {
    const both = brief({ resetTimeoutInMilliseconds: 100 });
    expect(openedFor(both, Object.assign(new Error('busy'), { retryAfterMs }))).toBe(expected);
  });

  test('longer than an hour stays so when it was planned', () => {
    const both = brief({ resetTimeoutInMilliseconds: 7_200_000 });
    expect(openedFor(both, { retryAfterMs: 1e9 })).toBe(7_200_000);
  });

  test('follows what a function of yours reads in the failure, also in that of a trial', () => {
    const both = brief({
      resetTimeoutInMilliseconds: 100,
      retryAfterMs: (cause) => (cause as { seconds: number }).seconds * 1_000,
    });
    expect(openedFor(both, { seconds: 2 })).toBe(2_000);
    both.pass(2_000);
    expect(openedFor(both, { seconds: 3 })).toBe(3_000);
  });

  test('is as planned when that function throws', () => {
    const both = brief({
      resetTimeoutInMilliseconds: 100,
      retryAfterMs: () => {
        throw boom;
      },
    });
    const faults: unknown[] = [];
    both.breaker.on('fault', ({ error }) => faults.push(error));
    expect(openedFor(both)).toBe(100);
    expect(faults).toEqual([boom]);
  });

  test('grows while the circuit flaps, and shrinks by one step for each calm minute', () => {
    const both = brief({
      resetTimeoutInMilliseconds: exponentialBreak({ initialMs: 100, jitterRatio: 0 }),
    });
    const breaks = [openedFor(both)];
    for (const calmMs of [0, 59_999, 60_000, 119_999, 120_000, 999_999]) {
      recover(both);
      both.pass(calmMs);
      breaks.push(openedFor(both));
    }
    // 1 opening, 2, 3, then 3 less 1 and one more, 2 of 4 ..., all forgotten.
    expect(breaks).toEqual([100, 200, 400, 400, 400, 200, 100]);
  });

  test('the calm that forgets an opening can be set', () => {
    const both = brief({
      resetTimeoutInMilliseconds: ({ attempt }) => attempt,
      attemptDecayMs: 10,
    });
    expect(openedFor(both)).toBe(1);
    recover(both);
    expect(openedFor(both)).toBe(2);
    recover(both);
    both.pass(19);
    expect(openedFor(both)).toBe(2);
    recover(both);
    both.breaker.reset();
    expect(openedFor(both)).toBe(1);
  });

  test('a trial that hangs counts as an opening', () => {
    const both = brief({
      resetTimeoutInMilliseconds: ({ attempt }) => attempt * 100,
      probeLeaseMs: 10,
    });
    openedFor(both);
    both.pass(100);
    both.breaker.tryAcquire();
    both.pass(10);
    expect(both.breaker.retryAfterMs).toBe(200);
    expect(both.breaker.save().attempt).toBe(2);
  });
});
