import { describe, expect, test } from '@jest/globals';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { fail, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { brittle } from './testing/virtual-breaker.ts';
import { VirtualClock } from './testing/virtual-clock.ts';
import { failureCount, failureRate, slowCallRate } from './window-rule.ts';

trapRejections();

/** A breaker whose looks at the clock are counted: they are the dearest part of a call. */
function counting(options: CircuitBreakerOptions): {
  readonly breaker: CircuitBreaker;
  readonly pass: (ms: number) => void;
  readonly looksOf: (act: (breaker: CircuitBreaker) => unknown) => Promise<number>;
} {
  let looks = 0;
  const time = new VirtualClock();
  const clock = {
    now: () => {
      looks++;
      return time.now();
    },
  };
  const breaker = new CircuitBreaker({ ...options, clock });
  return {
    breaker,
    pass: (ms) => {
      time.pass(ms);
    },
    looksOf: async (act) => {
      const before = looks;
      await act(breaker);
      return looks - before;
    },
  };
}

const quietly = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined);

describe('a closed circuit looks at the clock', () => {
  test.each([
    ['for failures only, by failures in time', failureCount({ failures: 9 }), 0, 1],
    ['never, by counts of calls', failureCount({ failures: 9, windowCalls: 9 }), 0, 0],
    ['once for a call, by a rate in time', failureRate({ minimumCalls: 99 }), 1, 1],
    ['twice for a call, by slow calls', slowCallRate({ slowAfterMs: 1, minimumCalls: 99 }), 2, 2],
  ])('%s', async (_, tripWhen, ofSuccess, ofFailure) => {
    const { looksOf } = counting({ tripWhen });
    expect([
      await looksOf((breaker) => breaker.execute(succeed)),
      await looksOf((breaker) => breaker.tryExecute(succeed)),
      await looksOf((breaker) => breaker.layer(succeed)({})),
      await looksOf((breaker) => breaker.tryAcquire()?.settle('success')),
      await looksOf((breaker) => quietly(breaker.execute(fail))),
      await looksOf((breaker) => breaker.tryAcquire()?.settle('failure')),
    ]).toEqual([ofSuccess, ofSuccess, ofSuccess, ofSuccess, ofFailure, ofFailure]);
  });

  test('not for its state', async () => {
    const { looksOf } = counting({});
    expect(await looksOf(({ state, available, retryAfterMs }) => [state, available, retryAfterMs])).toBe(0);
  });

  test.each<[string, (both: ReturnType<typeof counting>) => void]>([
    [
      'has run out',
      ({ pass }) => {
        pass(100);
      },
    ],
    [
      'was switched off',
      ({ breaker }) => {
        breaker.reconfigure({ rampMs: 0 });
      },
    ],
  ])('no more after a ramp that %s than before it', async (_, end) => {
    const both = counting({ ...brittle, maximumFailuresAllowed: 9, rampMs: 100 });
    const { breaker, looksOf } = both;
    breaker.restore({ ...breaker.save(), state: 'open', attempt: 1 });
    breaker.tryAcquire()?.settle('success');
    expect(await looksOf(() => breaker.tryAcquire())).toBe(1);
    end(both);
    breaker.tryAcquire();
    expect(await looksOf(() => breaker.tryAcquire())).toBe(0);
  });
});

test('an open circuit refuses with one look', async () => {
  const { breaker, looksOf } = counting(brittle);
  breaker.tryAcquire()?.settle('failure');
  expect(await looksOf(() => breaker.tryAcquire())).toBe(1);
  expect(await looksOf(() => breaker.available)).toBe(1);
});

test('a disabled circuit lets pass without one', async () => {
  const { looksOf } = counting({ ...brittle, mode: 'disabled' });
  expect(await looksOf((breaker) => breaker.tryAcquire()?.settle('failure'))).toBe(0);
});
