import { expect, test } from '@jest/globals';
import * as circuitBreaker from './index.ts';

test('exports what the README names', () => {
  expect(Object.keys(circuitBreaker).sort()).toEqual([
    'CircuitBreaker',
    'CircuitBreakers',
    'CircuitOpenError',
    'any',
    'circuitBreaker',
    'consecutiveFailures',
    'exponentialBreak',
    'failureCount',
    'failureRate',
    'isCircuitOpenError',
    'slowCallRate',
    'successAverage',
    'windowRule',
  ]);
});
