import { describe, expect, test } from '@jest/globals';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip } from './testing/virtual-breaker.ts';

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
  ])('B20: %s must not be %d', (option, value, rule) => {
    expect(() => circuitBreaker({ [option]: value })).toThrow(
      new RangeError(`circuitBreaker: ${option} must be ${rule}, got ${value}`),
    );
  });

  test('are copied: changing them later changes nothing, two breakers of one object share nothing', async () => {
    const options = { maximumFailuresAllowed: 1 };
    const [one, other] = [circuitBreaker(options), circuitBreaker(options)];
    options.maximumFailuresAllowed = 100;
    await trip(one, 1);
    expect([one.state, other.state]).toEqual(['open', 'closed']);
  });
});
