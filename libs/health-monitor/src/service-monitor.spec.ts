import { expect, test } from '@jest/globals';
import type { Alert } from './alert.ts';
import { fetchCheck, healthOf, type HealthFetch } from './fetch-check.ts';
import { serviceMonitor, type ServiceHealth } from './service-monitor.ts';
import { abortController } from './signal.ts';
import { VirtualTime } from './testing/virtual-time.ts';

const answering =
  (status: () => number, body: unknown, headers: Record<string, string> = {}): HealthFetch =>
  () =>
    Promise.resolve({
      ok: status() < 300,
      status: status(),
      headers: { get: (name) => headers[name] ?? null },
      text: () => Promise.resolve(typeof body === 'string' ? body : JSON.stringify(body)),
    });

test('thresholds in, health and alerts out', async () => {
  const time = new VirtualTime(1_700_000_000_000);
  let status = 200;
  const healths: ServiceHealth[] = [];
  const alerts: Alert[] = [];
  const monitor = serviceMonitor({
    services: [
      {
        name: 'user-service',
        healthEndpoint: 'http://127.0.0.1:4000/health',
        checkInterval: 1000,
        alertThresholds: { responseTime: 500, errorRate: 0.05, availability: 0.99 },
      },
    ],
    onHealthCheck: (serviceName, health) => {
      expect(serviceName).toBe('user-service');
      healths.push(health);
    },
    onAlert: (serviceName, alert) => {
      expect(serviceName).toBe('user-service');
      alerts.push(alert);
    },
    fetch: answering(() => status, { status: 'healthy', uptime: 12 }),
    clock: time,
    timers: time,
  });
  await monitor.start();
  await time.advance(20_000);
  expect(healths[0]).toMatchObject({
    status: 'healthy',
    uptime: 12,
    metrics: { availability: 1, errorRate: 0, lastCheck: expect.any(Date) },
  });
  status = 500;
  await time.advance(20_000);
  expect(healths.at(-1)).toMatchObject({ error: 'HTTP 500, healthy' });
  expect(alerts.map(({ rule, severity, state }) => `${state} ${severity} ${rule}`)).toEqual([
    'firing critical errorRate',
    'firing critical availability',
  ]);
  await monitor.close();
});

test('what a health answer says', async () => {
  const none = () => undefined;
  expect(healthOf(200, none, 'OK')).toMatchObject({ status: 'up' });
  expect(healthOf(200, none, { status: 'degraded' })).toMatchObject({
    status: 'degraded',
    message: 'degraded',
  });
  expect(healthOf(200, none, { status: 'UP' })).toMatchObject({ status: 'up' });
  expect(healthOf(200, none, { status: 'DOWN', instance: 'a-1' })).toMatchObject({
    status: 'down',
    identity: 'a-1',
  });
  expect(healthOf(200, none, { status: 'constructor' })).toMatchObject({ status: 'up' });
  expect(healthOf(503, none, { status: 'unhealthy' })).toMatchObject({
    status: 'down',
    message: 'HTTP 503, unhealthy',
  });
  const header = (name: string) => (name === 'x-immediate-health-check-fail' ? '' : undefined);
  expect(healthOf(200, header, undefined)).toMatchObject({ status: 'down', immediate: true });
  const check = fetchCheck('http://127.0.0.1/', {
    fetch: answering(() => 200, 'not json', { 'x-instance-id': 'b-2' }),
  });
  expect(await check(abortController().signal)).toMatchObject({ status: 'up', identity: 'b-2' });
});
