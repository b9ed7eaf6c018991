import { describe, expect, test } from '@jest/globals';
import { circuitBreaker } from './circuit-breaker.ts';
import { consecutiveFailures } from './consecutive-failures.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { boom, throwBoom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { halfOpen, trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

describe('options', () => {
  test.each<[keyof CircuitBreakerOptions, number, string]>([
    ['maximumFailuresAllowed', 0, 'an integer >= 1'],
    ['maximumFailuresAllowed', 1.5, 'an integer >= 1'],
    ['maximumFailuresAllowed', NaN, 'an integer >= 1'],
    ['successThreshold', 0, 'an integer >= 1'],
    ['successThreshold', Infinity, 'an integer >= 1'],
    ['timeWindowInMilliseconds', 0, 'a number > 0 (milliseconds)'],
    ['timeWindowInMilliseconds', -1, 'a number > 0 (milliseconds)'],
    ['resetTimeoutInMilliseconds', NaN, 'a number > 0 (milliseconds)'],
    ['resetTimeoutInMilliseconds', Infinity, 'a number > 0 (milliseconds)'],
    ['probeLeaseMs', 0, 'a number > 0 (milliseconds)'],
    ['trials', 1, 'an integer >= 2'],
    ['attemptDecayMs', 0, 'a number > 0 (milliseconds)'],
    ['rampMs', -1, 'a number > 0 (milliseconds)'],
    ['rampMs', NaN, 'a number > 0 (milliseconds)'],
    ['maximumWaiting', -1, 'an integer >= 0'],
    ['maximumWaiting', 0.5, 'an integer >= 0'],
  ])('B20: %s must not be %d', (option, value, rule) => {
    expect(() => circuitBreaker({ [option]: value })).toThrow(
      new RangeError(`circuitBreaker: ${option} must be ${rule}, got ${value}`),
    );
  });

  test('B4, goal 17: are copied: changing them later changes nothing, two breakers of one object share nothing', async () => {
    const options = { maximumFailuresAllowed: 1 };
    const [one, other] = [circuitBreaker(options), circuitBreaker(options)];
    options.maximumFailuresAllowed = 100;
    await trip(one, 1);
    expect([one.state, other.state]).toEqual(['open', 'closed']);
  });

  test('a value of the wrong type is refused by what it reads as', () => {
    expect(() => circuitBreaker({ maximumFailuresAllowed: '3' as never })).toThrow(
      new RangeError('circuitBreaker: maximumFailuresAllowed must be an integer >= 1, got 3'),
    );
    expect(() => circuitBreaker({ probeLeaseMs: Symbol('soon') as never })).toThrow('got Symbol(soon)');
  });

  test.each<CircuitBreakerOptions>([{ maximumFailuresAllowed: 5 }, { timeWindowInMilliseconds: 5 }])(
    'one way to say when it trips, not two: %j',
    (options) => {
      expect(() => circuitBreaker({ tripWhen: consecutiveFailures(1), ...options })).toThrow(
        new RangeError(
          'circuitBreaker: tripWhen takes the place of maximumFailuresAllowed and timeWindowInMilliseconds, got 5 as well',
        ),
      );
    },
  );

  test('the lease of trials is 30 s when the break is worked out', async () => {
    const { breaker, pass } = await halfOpen({ resetTimeoutInMilliseconds: () => 100 });
    breaker.tryAcquire();
    pass(29_999);
    expect(breaker.state).toBe('half-open');
    pass(1);
    expect(breaker.state).toBe('open');
  });

  test('breakers of like options, and of unlike ones, each live by their own', async () => {
    const all = [
      {},
      { maximumFailuresAllowed: 2 },
      { maximumFailuresAllowed: 2 },
      { successThreshold: 2 },
      {},
    ];
    const states = all.map(async (options) => {
      const breaker = circuitBreaker(options);
      await trip(breaker, 2);
      return breaker.state;
    });
    expect(await Promise.all(states)).toEqual(['closed', 'open', 'open', 'closed', 'closed']);
  });

  test('of mayOpen false keeps the circuit closed, and counting', async () => {
    let allowed = false;
    const { breaker } = virtual({ maximumFailuresAllowed: 2, mayOpen: () => allowed });
    await trip(breaker, 3);
    expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', failureCount: 3 });
    allowed = true;
    await trip(breaker, 1);
    expect(breaker.getSnapshot()).toMatchObject({ state: 'open', failureCount: 4 });
  });

  test('goal 15: what mayOpen throws is a fault, and the circuit opens', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1, mayOpen: throwBoom });
    const faults: unknown[] = [];
    breaker.on('fault', ({ error }) => faults.push(error));
    const own = new Error('its own');
    await expect(breaker.execute(() => Promise.reject(own))).rejects.toBe(own);
    expect([breaker.state, faults]).toEqual(['open', [boom]]);
  });
});
