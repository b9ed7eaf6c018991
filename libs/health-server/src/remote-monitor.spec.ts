import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HealthMonitor } from '@mesh/health-monitor';
import { fastify, type FastifyInstance } from 'fastify';
import { healthServer } from './health-server.ts';
import { RemoteMonitor, type RemoteMonitorOptions } from './remote-monitor.ts';

const token = 'a-long-enough-token';
let app: FastifyInstance;
let monitor: HealthMonitor;
let url: string;
const remotes: RemoteMonitor[] = [];

beforeEach(async () => {
  monitor = new HealthMonitor({ defaults: { intervalMs: 3_600_000 } });
  for (const id of ['u-1', 'u-2'])
    monitor.add({ id: `users:${id}`, service: 'users', check: () => undefined });
  app = fastify();
  await app.register(healthServer, { monitor, guard: { token } });
  url = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  for (const remote of remotes.splice(0)) remote.close();
  await app.close();
  await monitor.close();
});

function remoteMonitor(options: Partial<RemoteMonitorOptions> = {}): RemoteMonitor {
  const remote = new RemoteMonitor({ url, token, ...options });
  remotes.push(remote);
  return remote;
}

test('calls of a client count in the windows of the monitor, and its view comes back', async () => {
  const remote = remoteMonitor();
  expect(remote.getSnapshot()).toEqual({ status: 'unknown', ageMs: undefined, services: {} });
  for (let call = 0; call < 300; call++) {
    remote.record({ service: 'users', instance: 'u-1', ok: true, latencyMs: 20 });
  }
  for (let call = 0; call < 100; call++) remote.record({ service: 'users', instance: 'u-1', ok: false });
  remote.record({ service: 'users', instance: 'nobody', ok: false });
  await remote.exchange();

  expect(monitor.target('users:u-1')?.window('5m')).toMatchObject({ count: 400, errors: 100, meanMs: 20 });
  expect(monitor.target('users:u-2')?.window('5m')).toMatchObject({ count: 0 });
  const { status, services } = remote.getSnapshot();
  expect(status).toBe('connected');
  expect(Object.keys(services)).toEqual(['users']);
  expect(Object.keys(services['users']?.instances ?? {})).toEqual(['u-1', 'u-2']);
  expect(services['users']?.instances['u-1']).toMatchObject({ status: 'unknown', errorRate: 0.25 });
  expect(services['users']?.instances['u-1']?.p95Ms).toBeCloseTo(20, 0);
});

test('what was reported is not reported again', async () => {
  const remote = remoteMonitor();
  remote.record({ service: 'users', instance: 'u-1', ok: true, latencyMs: 5 });
  await remote.exchange();
  await remote.exchange();
  expect(monitor.target('users:u-1')?.window('5m').count).toBe(1);
});

test('a monitor that is away leaves the last view, and is told of once', async () => {
  const heard: (Error | undefined)[] = [];
  const remote = remoteMonitor({ onChange: (error) => heard.push(error) });
  await remote.exchange();
  expect(heard).toEqual([]);
  await app.close();
  await remote.exchange();
  await remote.exchange();
  expect(remote.getSnapshot()).toMatchObject({ status: 'disconnected', services: { users: {} } });
  expect(heard).toHaveLength(1);
  expect(heard[0]?.message).toContain('fetch failed');
});

test('without the token nothing is counted, and the refusal is told', async () => {
  const heard: (Error | undefined)[] = [];
  const remote = new RemoteMonitor({ url, onChange: (error) => heard.push(error) });
  remotes.push(remote);
  remote.record({ service: 'users', instance: 'u-1', ok: false });
  await remote.exchange();
  expect(heard[0]?.message).toContain('401');
  expect(monitor.target('users:u-1')?.window('5m').count).toBe(0);
});

test.each([
  { reports: [{ service: 'users', instance: 'u-1', ok: -1, failed: 0 }] },
  { reports: [{ service: 'users', instance: 'u-1', ok: 1e6, failed: 0 }] },
  { reports: [{ service: 'users', instance: 'u-1', ok: 1, failed: 0, latenciesMs: ['1'] }] },
  { reports: [{ service: '', instance: 'u-1', ok: 1, failed: 0 }] },
  { reports: {} },
  {},
])('a report that makes no sense is refused whole: %j', async (payload) => {
  const headers = { host: 'localhost', authorization: `Bearer ${token}` };
  const answer = await app.inject({ method: 'POST', url: '/health/samples', payload, headers });
  expect(answer.json()).toMatchObject({ status: 400, code: 'ERR_VALIDATION' });
  expect(monitor.target('users:u-1')?.window('5m').count).toBe(0);
});

test('options out of range are refused', () => {
  expect(() => new RemoteMonitor({ url, intervalMs: 0 })).toThrow(
    'remoteMonitor: intervalMs must be > 0, got 0',
  );
  expect(() => new RemoteMonitor({ url: 'nowhere' })).toThrow('Invalid URL');
});
