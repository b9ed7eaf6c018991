import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import type { Change } from './change-log.ts';
import { discoveryServer } from './discovery-server.ts';
import { Liveness } from './liveness.ts';
import { Registry } from './registry.ts';
import { startProcess } from './testing/living-process.ts';
import type { LivingProcess } from './testing/living-process.ts';

let app: FastifyInstance;
let registry: Registry;
let liveness: Liveness;
let url: string;
const processes: LivingProcess[] = [];
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  registry = new Registry();
  liveness = new Liveness(registry);
  app = Fastify();
  await app.register(discoveryServer, { registry, liveness });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  await Promise.all(processes.splice(0).map((one) => one.kill()));
  for (const close of closers.splice(0)) close();
  await app.close();
  liveness.close();
  registry.close();
});

async function start(options: Parameters<typeof startProcess>[1] = {}): Promise<LivingProcess> {
  const one = await startProcess(url, options);
  processes.push(one);
  return one;
}

function nextChange(isMeant: (change: Change) => boolean): Promise<{ change: Change; atMs: number }> {
  return new Promise((resolve) => {
    const stop = registry.subscribe((change) => {
      if (!isMeant(change)) return;
      stop();
      resolve({ change, atMs: performance.now() });
    });
  });
}

/** Opens a session by hand. The answer's text grows in `events`. */
async function openSession(body: object) {
  const sent = request(`${url}/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    agent: false,
  });
  const answered = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
  sent.on('error', () => undefined);
  sent.end(JSON.stringify(body));
  const response = await answered;
  const session = { status: response.statusCode, text: '', sent, isOver: false };
  response.setEncoding('utf8').on('data', (text: string) => (session.text += text));
  response.on('close', () => (session.isOver = true)).on('error', () => undefined);
  closers.push(() => sent.destroy());
  return session;
}

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Somebody who listens, so that the address answers. */
async function listen(): Promise<number> {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('kill -9: removed by its session, long before its lease of 45 s', async () => {
  const one = await start();
  expect(liveness.sessions.size).toBe(1);
  const removed = nextChange(({ type }) => type === 'remove');
  await one.kill();
  expect((await removed).change).toMatchObject({ reason: 'disconnected', name: 'user-service' });
  expect(registry.size).toBe(0);
});

test('kill -9 without a session: removed when its lease is over', async () => {
  const one = await start({ interval: 0.2, session: false });
  await until(() => registry.find('user-service')?.instances.length === 1);
  const removed = nextChange(({ type }) => type === 'remove');
  await one.kill();
  expect((await removed).change).toMatchObject({ reason: 'expired' });
});

test('SIGSTOP: hidden when its lease is over although its kernel still answers; SIGCONT: back', async () => {
  const one = await start({ interval: 0.3 });
  one.child.kill('SIGSTOP');
  await until(() => registry.find('user-service', 'any')?.instances[0]?.status === 'suspect');
  expect(registry.find('user-service')?.instances).toEqual([]);
  one.child.kill('SIGCONT');
  await until(() => registry.find('user-service')?.instances.length === 1);
});

test('a session that breaks while the process lives removes nobody', async () => {
  const one = await start();
  const changes: Change[] = [];
  registry.subscribe((change) => changes.push(change));
  one.child.kill('SIGUSR2');
  await until(() => liveness.sessions.size === 0);
  // Longer than a try of the address takes.
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(changes).toEqual([]);
  expect(registry.size).toBe(1);
});

test('leaving with a goodbye is no death', async () => {
  const port = await listen();
  const users = { name: 'user-service', host: '127.0.0.1', port, incarnation: 'first' };
  registry.register(users);
  const session = await openSession(users);
  await until(() => session.text.includes('event: open'));
  registry.deregister(users);
  await until(() => session.isOver);
  expect(session.text).toContain('event: close\ndata: {"reason":"removed"}');
});

test('a newer session of the same process ends the older, a new process ends both', async () => {
  const port = await listen();
  const users = { name: 'user-service', host: '127.0.0.1', port, incarnation: 'first' };
  registry.register(users);
  const [first, second] = [await openSession(users), await openSession(users)];
  await until(() => first.isOver);
  expect(first.text).toContain('"superseded"');
  expect(liveness.sessions.size).toBe(1);
  registry.register({ ...users, incarnation: 'second' });
  await until(() => second.isOver);
  expect(second.text).toContain('"replaced"');
  expect((await openSession(users)).status).toBe(409);
  expect(registry.size).toBe(1);
});

test('an unknown instance is told to register, a closing registry says goodbye', async () => {
  const users = { name: 'user-service', host: '127.0.0.1', port: await listen(), incarnation: 'first' };
  expect((await openSession(users)).status).toBe(404);
  registry.register(users);
  const session = await openSession(users);
  await until(() => session.text.includes('event: open'));
  await app.close();
  await until(() => session.isOver);
  expect(session.text).toContain('"shutdown"');
  expect(registry.size).toBe(1);
});
