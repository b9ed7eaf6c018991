import { afterEach, expect, test } from '@jest/globals';
import {
  authentication,
  createApiKey,
  ApiKeys,
  createGateway,
  IdentitySigner,
  proxyRoutes,
  rateLimit,
} from '@mesh/gateway';
import { createServiceClient } from '@mesh/service-client';
import {
  addCaller,
  createApp,
  identityOf,
  identityVerifier,
  readConfig,
  requireScopes,
} from '@mesh/service-kit';
import { fastify, type FastifyInstance } from 'fastify';
import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { gatewayConfig } from './config.ts';

const closing: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close();
});

const pair = generateKeyPairSync('ed25519');
const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' });
const made = createApiKey();
const apiKeys = new ApiKeys([{ id: made.id, hash: made.hash, subject: 'shop', scopes: ['orders:read'] }]);

async function listening(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  closing.push(app);
  return (app.server.address() as AddressInfo).port;
}

/** A service that asks the gateway's word of who calls. */
function orderService(): Promise<number> {
  const config = readConfig(gatewayConfig, { LOG_LEVEL: 'silent' });
  const app = createApp({ identity: identityOf('order-service', 1), config, openapi: false });
  app.register((scope, _options, done) => {
    addCaller(scope, identityVerifier({ service: 'order-service', keys: { publicKey } }), { required: true });
    scope.get('/orders', ({ caller, headers }) => ({ caller, key: headers['x-api-key'] ?? null }));
    scope.get('/refunds', { onRequest: requireScopes('refunds') }, () => 'done');
    done();
  });
  return listening(app);
}

function clientOf(port: number) {
  const known = { instances: [{ id: 'order-1', host: '127.0.0.1', port }] };
  const client = createServiceClient({
    discovery: { peek: () => known, resolve: () => Promise.resolve(known) },
  });
  closing.push(client);
  return client;
}

/** A gateway whose only route asks who calls, and counts. */
async function gateway(port: number, signer: IdentitySigner): Promise<string> {
  const { plugin } = createGateway({
    client: clientOf(port),
    policies: {
      auth: (rules) => authentication({ apiKeys, signer, rules }),
      rateLimit: (rules) => rateLimit({ rules }),
    },
    routes: {
      routes: [
        {
          match: { prefix: '/' },
          service: 'order-service',
          auth: {},
          rateLimit: { limits: [{ limit: 3, periodMs: 3_600_000, by: 'subject' }] },
        },
      ],
    },
  });
  const app = fastify();
  await app.register(plugin);
  return `http://127.0.0.1:${await listening(app)}`;
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<[number, unknown]> {
  const answer = await fetch(url, { headers });
  return [answer.status, await answer.json()];
}

test('a service knows who calls, by the signature of the gateway', async () => {
  const signer = new IdentitySigner({ key: { privateKey } });
  const url = await gateway(await orderService(), signer);
  const key = { 'x-api-key': made.key };
  const caller = { subject: 'shop', scopes: ['orders:read'], by: 'api-key' };
  expect(await ask(`${url}/orders`, key)).toEqual([200, { caller, key: null }]);
  expect((await ask(`${url}/refunds`, key))[0]).toBe(403);
  expect(await ask(`${url}/orders`)).toMatchObject([401, { code: 'ERR_UNAUTHORIZED' }]);
  expect((await ask(`${url}/orders`, key))[0]).toBe(200);
  expect(await ask(`${url}/orders`, key)).toMatchObject([429, { code: 'ERR_RATE_LIMITED' }]);
});

test('without the gateway, or with a forged identity, the service is closed', async () => {
  const port = await orderService();
  const forger = new IdentitySigner({
    key: { privateKey: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) },
  });
  const forged = await forger.sign(
    { subject: 'root', scopes: ['refunds'], by: 'jwt', claims: {} },
    'order-service',
    'x',
  );
  const forOther = await new IdentitySigner({ key: { privateKey } }).sign(
    { subject: 'root', scopes: ['refunds'], by: 'jwt', claims: {} },
    'user-service',
    'x',
  );
  for (const headers of [{}, { 'x-mesh-identity': forged }, { 'x-mesh-identity': forOther }]) {
    expect((await ask(`http://127.0.0.1:${port}/refunds`, headers))[0]).toBe(401);
  }
});

test('a client cannot bring an identity of its own through the proxy, in any spelling', async () => {
  const seen: string[] = [];
  const service = fastify();
  service.get('/orders', ({ raw }) => {
    seen.push(...raw.rawHeaders.filter((_text, at) => at % 2 === 0).map((name) => name.toLowerCase()));
    return {};
  });
  const app = fastify();
  await app.register(proxyRoutes, { client: clientOf(await listening(service)), dynamicPrefix: '/api' });
  const url = `http://127.0.0.1:${await listening(app)}/api/order-service/orders`;
  const forged = {
    'X-Mesh-Identity': 'forged',
    x_mesh_identity: 'forged',
    'x-mesh_identity': 'forged',
    'x-other': '1',
  };
  expect((await ask(url, forged))[0]).toBe(200);
  expect(seen).toContain('x-other');
  expect(seen.filter((name) => /identity/.test(name))).toEqual([]);
});
