import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Instance } from '@mesh/discovery-client';
import { HealthMonitor } from '@mesh/health-monitor';
import { fastify, type FastifyInstance } from 'fastify';
import { healthServer } from './health-server.ts';
import { followRegistry, type RegisteredChange } from './registered-targets.ts';

let app: FastifyInstance;
let monitor: HealthMonitor;
let sick = new Set<string>();

/** Resolves when the monitor tells of something that fits. */
const event = (name: 'status' | 'alert', fits: (told: never) => boolean = () => true): Promise<void> =>
  new Promise((resolve) => {
    const stop = monitor.on(name, (told) => {
      if (!fits(told as never)) return;
      stop();
      resolve();
    });
  });

const check = (id: string) => () => {
  if (sick.has(id)) throw new Error('refused');
  return undefined;
};

beforeEach(async () => {
  sick = new Set();
  monitor = new HealthMonitor({ defaults: { intervalMs: 20, fall: 1, rise: 1 } });
  app = fastify();
  await app.register(healthServer, { monitor, guard: { token: 'a-long-enough-token' } });
});
afterEach(async () => {
  await app.close();
  await monitor.close();
});

const post = (
  url: string,
  payload: object,
  headers: Record<string, string> = { authorization: 'Bearer a-long-enough-token' },
) => app.inject({ method: 'POST', url, payload, headers: { host: 'localhost:3000', ...headers } });

async function fire(): Promise<string> {
  monitor.add({ id: 'users:u-1', service: 'users', check: check('u-1') });
  monitor.add({ id: 'users:u-2', service: 'users', check: check('u-2') });
  sick.add('u-1');
  const firing = event('alert');
  await monitor.start();
  await firing;
  return monitor.alerts[0]?.id ?? '';
}

test('an alert is shown and taken, with the token only', async () => {
  const id = await fire();
  expect((await app.inject('/alerts')).json()).toMatchObject({
    alerts: [
      {
        id,
        state: 'firing',
        severity: 'critical',
        target: 'users:u-1',
        summary: 'users:u-1 is down: refused',
      },
    ],
    resolved: [],
  });
  const url = `/alerts/${encodeURIComponent(id)}/acknowledge`;
  expect((await post(url, { by: 'ann' }, {})).statusCode).toBe(401);
  expect((await post(url, { by: '' })).statusCode).toBe(400);
  expect((await post('/alerts/nothing/acknowledge', { by: 'ann' })).json()).toMatchObject({
    status: 404,
    code: 'ERR_NOT_FOUND',
  });
  expect((await post(url, { by: 'ann', note: 'on it' })).json()).toMatchObject({
    state: 'acknowledged',
    acknowledgement: { by: 'ann', note: 'on it' },
  });
  const over = event('alert', ({ alert }: { alert?: { state: string } }) => alert?.state === 'resolved');
  sick.clear();
  await over;
  expect((await app.inject('/alerts')).json()).toMatchObject({
    alerts: [],
    resolved: [{ id, downtimeMs: expect.any(Number), acknowledgement: { by: 'ann' } }],
  });
});

test('silences are made and ended', async () => {
  await fire();
  const made = await post('/silences', { match: { service: 'users' }, durationMs: 60_000, by: 'ann' });
  expect(made.statusCode).toBe(201);
  const { id } = made.json<{ id: string }>();
  expect((await app.inject('/alerts')).json()).toMatchObject({
    alerts: [{ quietedBy: id }],
    silences: [{ id }],
  });
  expect((await post('/silences', { match: {}, durationMs: 60_000, by: 'ann' })).statusCode).toBe(400);
  const end = () =>
    app.inject({
      method: 'DELETE',
      url: `/silences/${id}`,
      headers: { host: 'localhost', authorization: 'Bearer a-long-enough-token' },
    });
  expect((await end()).statusCode).toBe(204);
  expect((await end()).statusCode).toBe(404);
});

test('the health of services, with history', async () => {
  await fire();
  const answer = await app.inject('/health/services?window=5m');
  expect(answer.json()).toMatchObject({
    window: '5m',
    services: [
      {
        name: 'users',
        instances: [
          { id: 'users:u-1', status: 'down', message: 'refused', outcomes: { errors: 1 } },
          { id: 'users:u-2' },
        ],
      },
    ],
    monitor: { targets: 2 },
  });
  const { services } = answer.json<{ services: { instances: { history: object[] }[] }[] }>();
  expect(services[0]?.instances[0]?.history).toHaveLength(11);
  expect((await app.inject('/health/services?window=2y')).statusCode).toBe(400);
});

test('the stream begins with everything and goes on with what changes', async () => {
  await app.listen({ port: 0, host: '127.0.0.1' });
  const address = app.server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const response = await fetch(`http://127.0.0.1:${port}/health/stream`);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  void fire();
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array);
    if (text.includes('event: alert')) break;
  }
  expect(text).toMatch(/event: snapshot\ndata: .*"targets":\[\]/);
  expect(text).toMatch(/event: status\ndata: .*"to":"down"/);
  expect(text).toMatch(/event: alert\ndata: .*"state":"firing"/);
});

test('follows a registry: who says goodbye is forgotten, who vanishes is missed for a while', () => {
  jest.useFakeTimers();
  const instance = (id: string, more: Partial<Instance> = {}): Instance => ({
    id,
    name: 'users',
    host: '127.0.0.1',
    port: 1,
    weight: 1,
    metadata: {},
    status: 'up',
    heartbeatInterval: 30,
    incarnation: 'x',
    registeredAt: '',
    lastHeartbeat: '',
    ...more,
  });
  let tell: (change: RegisteredChange) => void = () => undefined;
  const registry = {
    instances: () => [instance('u-1'), instance('u-2', { healthCheckUrl: 'http://169.254.169.254/latest' })],
    subscribe: (listener: (change: RegisteredChange) => void) => {
      tell = listener;
      return () => {
        tell = () => undefined;
      };
    },
  };
  const ids = () => monitor.targets.map(({ id }) => id);
  const stop = followRegistry(monitor, registry, { missMs: 30 });
  expect(ids()).toEqual(['users:u-1', 'users:u-2']);
  tell({ type: 'upsert', instance: instance('u-3') });
  tell({ type: 'remove', service: 'users', id: 'u-1', reason: 'deregistered' });
  tell({ type: 'remove', service: 'users', id: 'u-2', reason: 'disconnected' });
  tell({ type: 'remove', service: 'users', id: 'u-3', reason: 'expired' });
  expect(ids()).toEqual(['users:u-2', 'users:u-3']);
  tell({ type: 'upsert', instance: instance('u-3') });
  jest.advanceTimersByTime(40);
  expect(ids()).toEqual(['users:u-3']);
  stop();
  tell({ type: 'remove', service: 'users', id: 'u-3', reason: 'deregistered' });
  expect(ids()).toEqual(['users:u-3']);
  jest.useRealTimers();
});
