import { afterEach, expect, test } from '@jest/globals';
import { readRoutes } from '@mesh/gateway';
import { identityOf, readConfig } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import { EventEmitter } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildApp, type GatewayContext } from './app.ts';
import { gatewayConfig } from './config.ts';
import { routes } from './routes.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const users = [{ id: 'user-1', host: '127.0.0.1', port: 4000, version: '2', metadata: { zone: 'a' } }];
const discovery = {
  peek: (name: string) => ({ instances: name === 'user-service' ? users : [] }),
  resolve: () => Promise.resolve({ instances: [] }),
  status: 'connected',
  cache: () => [],
} as unknown as GatewayContext['discovery'];

async function gateway(
  environment: Record<string, string>,
  onReload?: GatewayContext['onReload'],
): Promise<FastifyInstance> {
  const config = readConfig(gatewayConfig, { LOG_LEVEL: 'silent', ...environment });
  const identity = identityOf('api-gateway', 8000);
  const app = await buildApp(config, { identity, discovery, ...(onReload && { onReload }) });
  cleanups.push(() => app.close());
  return app;
}

async function file(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-'));
  cleanups.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'routes.yaml'), text);
  return join(folder, 'routes.yaml');
}

const headers = { host: 'localhost' };

async function idsOf(app: FastifyInstance): Promise<string[]> {
  const answer = await app.inject({ url: '/routes', headers });
  return answer.json<{ routes: { id: string }[] }>().routes.map(({ id }) => id);
}

function explain(app: FastifyInstance, url: string): Promise<object> {
  return app
    .inject({ method: 'POST', url: '/routes/explain', headers, payload: { url } })
    .then((answer) => answer.json());
}

test('the example file says what it claims', async () => {
  const path = new URL('../routes.example.yaml', import.meta.url).pathname;
  const read = readRoutes(await readFile(path, 'utf8'), { file: path });
  expect(read.map(({ id }) => id)).toEqual(['users', 'services', 'orders', 'orders-beta', 'reports']);
  const app = await gateway({ GATEWAY_ROUTES: path });
  expect(await explain(app, '/api/orders/1')).toMatchObject({
    route: { id: 'orders' },
    service: 'order-service',
    branch: { by: 'client' },
  });
});

test('the routes of the seeds hold without a file', async () => {
  const app = await gateway({});
  expect(await idsOf(app)).toEqual(routes.routes.map(({ id }) => id));
  expect(await explain(app, '/api/users/4')).toMatchObject({
    service: 'user-service',
    path: { forwarded: '/api/users/4' },
    instances: [{ id: 'user-1', version: '2', state: 'closed', available: true }],
  });
  expect(await explain(app, '/api/payment-service/pay')).toMatchObject({
    service: 'payment-service',
    path: { forwarded: '/pay' },
  });
});

test('what the app serves itself stays its own, wrong methods and unknown paths too', async () => {
  const app = await gateway({});
  expect((await app.inject({ method: 'DELETE', url: '/users', headers })).statusCode).toBe(405);
  expect((await app.inject({ url: '/nothing', headers })).json()).toMatchObject({ code: 'ERR_NOT_FOUND' });
  expect((await app.inject({ url: '/health', headers })).json()).toHaveProperty('circuitBreakers');
});

test('the file is followed; a fault in it changes nothing; a signal reads it again', async () => {
  const path = await file('routes: [{ id: one, match: { prefix: /a }, service: a }]');
  const signals = new EventEmitter();
  const app = await gateway({ GATEWAY_ROUTES: path }, (reload) => signals.on('SIGHUP', reload));
  expect(await idsOf(app)).toEqual(['one']);
  await writeFile(path, 'routes: [{ match: { prefix: /a } }]');
  signals.emit('SIGHUP');
  expect(await idsOf(app)).toEqual(['one']);
  await writeFile(path, 'routes: [{ id: two, match: { prefix: /b }, service: b }]');
  signals.emit('SIGHUP');
  while ((await idsOf(app))[0] !== 'two') await new Promise(setImmediate);
});

test('a gateway does not start with a file that is away or has faults, and says where', async () => {
  await expect(gateway({ GATEWAY_ROUTES: '/nowhere/routes.yaml' })).rejects.toThrow('/nowhere/routes.yaml');
  const path = await file('routes:\n  - match: { prefix: a }\n    service: a\n');
  await expect(gateway({ GATEWAY_ROUTES: path })).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining(`${path}:2:14 routes[0].match.prefix must look like`),
  });
});

test.each([
  [{ host: 'evil.example' }, 403],
  [{ host: 'localhost', origin: 'http://evil.example' }, 403],
])('who may not invoke may not look at the routes: %j', async (given, status) => {
  const app = await gateway({});
  expect((await app.inject({ url: '/routes', headers: given })).statusCode).toBe(status);
});
