import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Liveness, Registry } from '@mesh/discovery-server';
import { HealthMonitor } from '@mesh/health-monitor';
import { probeRegistered } from './probing.ts';

let registry: Registry;
let liveness: Liveness;
let monitor: HealthMonitor;
let server: Server;
let asked = 0;
let answer: { status: number; body: string; incarnation?: string };
let stop: () => void;

beforeEach(async () => {
  asked = 0;
  answer = { status: 200, body: '{}' };
  server = createServer((_request, response) => {
    asked += 1;
    const { status, body, incarnation } = answer;
    if (incarnation !== undefined) response.setHeader('x-mesh-incarnation', incarnation);
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  registry = new Registry();
  liveness = new Liveness(registry, { paced: false });
  monitor = new HealthMonitor({ defaults: { intervalMs: 20 }, checksPerSecond: 10_000 });
  stop = probeRegistered(registry, liveness, monitor);
  await monitor.start();
});
afterEach(async () => {
  stop();
  await monitor.close();
  liveness.close();
  registry.close();
  server.close();
  server.closeAllConnections();
});

const port = () => (server.address() as AddressInfo).port;
const register = (more: object = {}) =>
  registry.register({
    name: 'users',
    host: '127.0.0.1',
    port: port(),
    healthCheckUrl: `http://127.0.0.1:${port()}/health`,
    ...more,
  });
const status = () => registry.find('users', 'any')?.instances[0]?.status;
const watched = () => monitor.targets[0]!;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('an instance is asked once, and both know the answer', async () => {
  register();
  await until(() => watched().window('5m').count >= 10);
  expect(asked - watched().window('5m').count).toBeLessThanOrEqual(1);
  expect(status()).toBe('up');
  answer = { status: 503, body: '{}' };
  await until(() => status() === 'down');
  expect(watched()).toMatchObject({ status: 'down', message: 'HTTP 503' });
  expect(registry.find('users')?.instances ?? []).toEqual([]);
  answer = { status: 200, body: '{"status":"degraded"}' };
  await until(() => status() === 'up');
  expect(watched().status).toBe('degraded');
});

test('a good answer is a sign of life: who never beats outlives its lease', async () => {
  register({ heartbeatInterval: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1800));
  expect(status()).toBe('up');
});

test('who does not want to be checked is watched, and only its heartbeats count', async () => {
  register({ healthCheckUrl: undefined });
  server.close();
  server.closeAllConnections();
  await until(() => watched().status === 'down');
  expect(status()).toBe('up');
});

test('a process that takes the place of one that was down is not blamed for it', async () => {
  answer = { status: 503, body: '{}' };
  register({ incarnation: 'first' });
  await until(() => status() === 'down');
  answer = { status: 200, body: '{}' };
  const seen = new Set<unknown>();
  register({ incarnation: 'second' });
  await until(() => {
    seen.add(status());
    return watched().status === 'up';
  });
  expect([...seen]).toEqual(['up']);
});

test('another process at the same address does not answer for it', async () => {
  answer = { status: 200, body: '{}', incarnation: 'second' };
  register({ incarnation: 'first' });
  await until(() => status() === 'down');
  expect(watched().message).toBe('expected first, second answered');
});

test('nobody is asked where clouds keep secrets', async () => {
  register({ host: '169.254.169.254', healthCheckUrl: 'http://169.254.169.254/latest' });
  await until(() => watched().status === 'down');
  expect(watched().message).toBe('169.254.169.254 must not be called');
  expect(status()).toBe('up');
});
