import { expect, test } from '@jest/globals';
import { Registry } from './registry.ts';
import { RegistryMetrics, wantsOpenMetrics } from './registry-metrics.ts';

const users = { name: 'user-service', host: '127.0.0.1', port: 4000 };

test('counts instances, changes and what is wrong', async () => {
  const registry = new Registry();
  const metrics = new RegistryMetrics(registry, {
    store: { isConnected: false, attach: () => Promise.resolve(), close: () => Promise.resolve() },
  });
  registry.register(users);
  registry.register({ ...users, port: 4001 });
  registry.override('user-service', '127.0.0.1:4001', { status: 'draining' });
  registry.register({ ...users, name: 'order-service', port: 4002 });
  registry.deregister({ name: 'order-service', port: 4002 });
  const { contentType, body } = await metrics.text();
  expect(contentType).toContain('application/openmetrics-text; version=1.0.0');
  expect(body).toContain('mesh_discovery_instances{service="user-service",status="up"} 1');
  expect(body).toContain('mesh_discovery_instances{service="user-service",status="draining"} 1');
  expect(body).not.toContain('order-service');
  expect(body).toContain('mesh_discovery_changes_total{type="remove",reason="deregistered"} 1');
  expect(body).toContain('mesh_discovery_changes_total{type="upsert",reason=""} 4');
  expect(body).toContain('mesh_discovery_store_connected 0');
  expect(body.trimEnd().endsWith('# EOF')).toBe(true);
  metrics.close();
  registry.register(users);
  registry.close();
});

test.each([
  ['application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75', true],
  ['text/plain;version=0.0.4', true],
  ['application/json', false],
  ['*/*', false],
  [undefined, false],
])('Accept: %s', (accept, wants) => {
  expect(wantsOpenMetrics(accept)).toBe(wants);
});
