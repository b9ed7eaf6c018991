import { expect, test } from '@jest/globals';
import type { ServiceClient } from '@mesh/service-client';
import { gatewayHealth, type DiscoveryView, type GatewayHealthOptions } from './health.ts';
import { Overload } from './overload.ts';
import { Upstream } from '../compose/upstream.ts';

const discovery: DiscoveryView = {
  status: 'connected',
  cache: () => [{ name: 'user-service', ttlMs: 45_400, instances: 3 }],
  peek: () => ({ instances: [{ id: 'user-1' }, { id: 'user-2' }, { id: 'user-3' }] }),
};

function healthWith(more: Partial<GatewayHealthOptions> = {}): ReturnType<typeof gatewayHealth> {
  return gatewayHealth({
    identity: { service: 'api-gateway', instance: 'api-gateway-8000' },
    port: 8000,
    discovery,
    server: 'http://localhost:3000',
    ...more,
  });
}

test('the object of seed 000', () => {
  const { timestamp, ...health } = healthWith();
  expect(health).toEqual({
    service: 'api-gateway',
    instance: 'api-gateway-8000',
    status: 'healthy',
    port: 8000,
    serviceDiscovery: { status: 'connected', server: 'http://localhost:3000' },
    cache: { 'user-service': { cached: true, ttl: 45, services: 3 } },
    circuitBreakers: {},
    services: { 'user-service': { instances: 3, available: 3 } },
  });
  expect(new Date(timestamp).toISOString()).toBe(timestamp);
});

test('an upstream that was never looked up is not cached, which is no fault', () => {
  const upstreams = [new Upstream({ service: 'user-service' }), new Upstream({ service: 'order-service' })];
  expect(healthWith({ upstreams })).toMatchObject({
    status: 'healthy',
    cache: { 'user-service': { cached: true }, 'order-service': { cached: false, ttl: 0, services: 0 } },
    circuitBreakers: { 'order-service': { status: 'CLOSED' } },
  });
});

test('an open circuit or a lost registry is degraded', async () => {
  const users = new Upstream({ service: 'user-service', circuitBreaker: { maximumFailuresAllowed: 1 } });
  await users.read('k', () => Promise.reject(new Error('no')), 0);
  expect(healthWith({ upstreams: [users] })).toMatchObject({
    status: 'degraded',
    circuitBreakers: { 'user-service': { status: 'OPEN', failureCount: 1, successCount: 0 } },
  });
  expect(healthWith({ discovery: { ...discovery, status: 'disconnected' } })).toMatchObject({
    status: 'degraded',
    serviceDiscovery: { status: 'disconnected' },
  });
});

test('counts the instances that the registry lists, without those whose circuit is open; who left does not count', () => {
  const state = {
    host: '127.0.0.1',
    port: 1,
    inflight: 0,
    latencyMs: undefined,
    picks: 0,
    failureCount: 0,
    successCount: 0,
  };
  const instances = [
    { ...state, id: 'user-1', state: 'closed', available: true },
    { ...state, id: 'user-2', state: 'open', available: false },
    { ...state, id: 'left-long-ago', state: 'open', available: false },
  ] as const;
  const snapshot = { services: { 'user-service': { instances } } } as unknown as ReturnType<
    ServiceClient['getSnapshot']
  >;
  expect(healthWith({ client: { getSnapshot: () => snapshot } })).toMatchObject({
    status: 'healthy',
    services: { 'user-service': { instances: 3, available: 2 } },
    circuitBreakers: { 'user-service': { status: 'CLOSED' } },
  });
});

test('a password in the address of the registry stays inside', () => {
  const health = healthWith({ server: 'http://me:secret@registry:3000/x@y' });
  expect(health.serviceDiscovery.server).toBe('http://registry:3000/x@y');
});

test('tells of overload and of the cache of answers where there are such', () => {
  const cache = {
    hits: 3,
    misses: 1,
    stale: 0,
    revalidated: 0,
    coalesced: 0,
    bypassed: 0,
    bytes: 9,
    hitRatio: 0.75,
  };
  const health = healthWith({ overload: new Overload(), responseCache: { getSnapshot: () => cache } });
  expect(health.overload).toMatchObject({ inFlight: 0, queued: 0, pressure: 0 });
  expect(health.responseCache).toEqual({ hitRatio: 0.75 });
});
