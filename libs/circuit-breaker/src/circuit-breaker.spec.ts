import { expect, test } from '@jest/globals';
import { circuitBreaker } from './circuit-breaker.ts';

test('circuit-breaker answers', () => {
  expect(circuitBreaker()).toBe('circuit-breaker');
});
