import { describe, expect, test } from '@jest/globals';
import { meshMetrics } from './metrics.ts';

type Snapshot = Parameters<typeof meshMetrics>[0];
type Instance = Snapshot['services'][string]['instances'][number];

const totals = { requests: 0, succeeded: 0, failed: 0, aborted: 0, retries: 0, latencyMsTotal: 0 };

function instance(id: string, state: Instance['state'], failureCount = 0, successCount = 0): Instance {
  const place = { id, host: '127.0.0.1', port: 1, available: state !== 'open', ejected: false };
  return { ...place, state, failureCount, successCount, inflight: 0, latencyMs: undefined, picks: 0 };
}

test('the numbers of seed 002', () => {
  const counted = {
    ...totals,
    requests: 1530,
    succeeded: 1487,
    failed: 36,
    aborted: 7,
    latencyMsTotal: 1523 * 45.3,
  };
  const services = {
    'user-service': {
      instances: [instance('user-service-1', 'closed'), instance('user-service-2', 'closed')],
    },
  };
  // The seed's 97.64 % are 1487 of 1523.
  expect(meshMetrics({ totals: counted, services })).toEqual({
    totalRequests: 1523,
    successfulRequests: 1487,
    failedRequests: 36,
    successRate: '97.64%',
    averageLatency: '45ms',
    circuitBreakers: { 'user-service': { status: 'CLOSED', failureCount: 0, successCount: 0 } },
    serviceHealth: { 'user-service:user-service-1': true, 'user-service:user-service-2': true },
  });
});

test.each([
  [0, 0, '100.00%'],
  [0, 5, '0.00%'],
  [5, 0, '100.00%'],
  [999_999, 1, '99.99%'],
  [2, 1, '66.67%'],
])('%d succeeded and %d failed are %s', (succeeded, failed, rate) => {
  expect(meshMetrics({ totals: { ...totals, succeeded, failed }, services: {} }).successRate).toBe(rate);
});

describe('the circuit of a service without an upstream of its own', () => {
  test.each([
    ['nobody', [], 'CLOSED', 0, 0],
    ['one closed', [instance('a', 'open', 3), instance('b', 'closed', 1)], 'CLOSED', 4, 0],
    ['all open', [instance('a', 'open', 3), instance('b', 'open', 3)], 'OPEN', 6, 0],
    ['one on trial', [instance('a', 'open', 3), instance('b', 'half-open', 3, 1)], 'HALF_OPEN', 6, 1],
  ] as const)('%s', (_what, instances, status, failureCount, successCount) => {
    const { circuitBreakers } = meshMetrics({ totals, services: { a: { instances } } });
    expect(circuitBreakers).toEqual({ a: { status, failureCount, successCount } });
  });
});

test('a service may have the name of a prototype key', () => {
  const { circuitBreakers } = meshMetrics({ totals, services: { constructor: { instances: [] } } });
  expect(Object.keys(circuitBreakers)).toEqual(['constructor']);
});
