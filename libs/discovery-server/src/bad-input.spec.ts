import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import Fastify from 'fastify';
import type { InjectOptions } from 'fastify';
import { discoveryServer } from './discovery-server.ts';
import { Registry } from './registry.ts';

const registry = new Registry();
// As careless as an app can be: what protects against prototype keys must be the plugin.
const app = Fastify({ onProtoPoisoning: 'ignore', onConstructorPoisoning: 'ignore' });

beforeAll(async () => {
  await app.register(discoveryServer, { registry });
});

afterAll(async () => {
  await app.close();
  registry.close();
});

const json = { 'content-type': 'application/json' };
const valid = { name: 'user-service', port: 4000 };

async function expectRefused(request: InjectOptions, status: number, code: string): Promise<void> {
  const before = registry.revision;
  const answer = await app.inject(request);
  expect({ status: answer.statusCode, body: answer.body }).toMatchObject({ status });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.json()).toMatchObject({ status, code });
  expect(answer.body).not.toMatch(/node_modules|\.ts:|Error:/);
  expect(registry.revision).toBe(before);
  expect((await app.inject('/health')).json()).toMatchObject({ status: 'healthy' });
}

/** What is wrong with the fields that POST /register and POST /heartbeat have in common. */
const badFields: [string, unknown][] = [
  ['name', undefined],
  ['name', null],
  ['name', 7],
  ['name', ''],
  ['name', 'User-Service'],
  ['name', '-a'],
  ['name', 'a-'],
  ['name', 'a b'],
  ['name', 'a\n'],
  ['name', 'a/../b'],
  ['name', 'ü'],
  ['name', '__proto__'],
  ['name', 'constructor'],
  ['name', 'prototype'],
  ['name', 'a'.repeat(64)],
  ['port', undefined],
  ['port', null],
  ['port', '4000'],
  ['port', -1],
  ['port', 0],
  ['port', 65_536],
  ['port', 4000.5],
  ['port', 1e300],
  ['port', true],
  ['port', [4000]],
  ['heartbeatInterval', 0],
  ['heartbeatInterval', -30],
  ['heartbeatInterval', 0.049],
  ['heartbeatInterval', 3601],
  ['heartbeatInterval', '30'],
  ['heartbeatInterval', null],
  ['id', ''],
  ['id', 'a b'],
  ['id', 'a\u0000'],
  ['id', '__proto__'],
  ['id', 'constructor'],
  ['id', '../../etc/passwd'],
  ['id', '<script>alert(1)</script>'],
  ['id', 'x'.repeat(129)],
  ['id', 7],
  ['host', ''],
  ['host', 'a b'],
  ['host', 'evil.example/path'],
  ['host', 'user@evil.example'],
  ['host', 'evil.example:80'],
  ['host', 'evil.example?x'],
  ['host', '[::1'],
  ['host', 'a..b'],
  ['host', '999.999.999.999:1'],
  ['host', 'h'.repeat(256)],
  ['host', 7],
  ['incarnation', ''],
  ['incarnation', 7],
  ['incarnation', 'x'.repeat(65)],
  ['incarnation', 'a\r\nb'],
  ['unknownField', 1],
  ['constructor', 1],
  ['toString', 'x'],
];

const badRegisterFields: [string, unknown][] = [
  ['weight', 0],
  ['weight', -1],
  ['weight', 1001],
  ['weight', '1'],
  ['healthCheckUrl', ''],
  ['healthCheckUrl', 'not a url'],
  ['healthCheckUrl', 'javascript:alert(1)'],
  ['healthCheckUrl', 'file:///etc/passwd'],
  ['healthCheckUrl', `http://x/${'x'.repeat(2048)}`],
  ['metadata', 'text'],
  ['metadata', []],
  ['metadata', null],
  ['metadata', { key: 1 }],
  ['metadata', { key: null }],
  ['metadata', { key: { nested: 'x' } }],
  ['metadata', { '': 'x' }],
  ['metadata', { constructor: 'x' }],
  ['metadata', { prototype: 'x' }],
  ['metadata', { ['k'.repeat(129)]: 'x' }],
  ['metadata', { key: 'x'.repeat(1025) }],
  ['metadata', Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`key${n}`, 'x']))],
  ['healthy', 'yes'],
  ['failureCount', -1],
  ['requestCount', '0'],
  ['avgResponseTime', null],
  ['lastHealthCheck', {}],
];

describe.each(['/register', '/heartbeat'])('POST %s', (url) => {
  const post = (payload: string | undefined, headers: Record<string, string> = json): InjectOptions => ({
    method: 'POST',
    url,
    headers,
    ...(payload !== undefined && { payload }),
  });

  test.each(badFields)('%s: %j', async (field, value) => {
    await expectRefused(post(JSON.stringify({ ...valid, [field]: value })), 400, 'ERR_VALIDATION');
  });

  test.each([
    '{"name":"user-service","port":4000,"__proto__":{"admin":true}}',
    '{"name":"user-service","port":4000,"\\u005f_proto__":{"admin":true}}',
    '{"name":"user-service","port":4000,"constructor":{"prototype":{"admin":true}}}',
    '{"__proto__":{"name":"user-service","port":4000}}',
    '{"name":"user-service","port":4000,"metadata":{"__proto__":"x"}}',
  ])('%s', async (body) => {
    await expectRefused(post(body), 400, 'ERR_BAD_REQUEST');
    expect(Object.prototype).not.toHaveProperty('admin');
  });

  test.each(['[]', 'null', '7', '"text"', '[{"name":"user-service","port":4000}]'])('%s', async (body) => {
    await expectRefused(post(body), 400, 'ERR_VALIDATION');
  });

  test.each(['', '{', '{"name":', 'name=user-service', '{"name":"a",}', '\u0000'])(
    'broken JSON %j',
    async (body) => {
      await expectRefused(post(body), 400, 'ERR_BAD_REQUEST');
    },
  );

  test('no body at all', async () => {
    await expectRefused(post(undefined, {}), 400, 'ERR_VALIDATION');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/xml',
    '*/*',
  ])('content type %s', async (type) => {
    await expectRefused(post(JSON.stringify(valid), { 'content-type': type }), 415, 'ERR_MEDIA_TYPE');
  });

  test('more than 64 KiB', async () => {
    const body = JSON.stringify({ ...valid, unknown: 'x'.repeat(65_536) });
    await expectRefused(post(body), 413, 'ERR_BODY_TOO_LARGE');
  });

  test('a query', async () => {
    await expectRefused({ ...post(JSON.stringify(valid)), url: `${url}?x=1` }, 400, 'ERR_VALIDATION');
  });
});

test.each(badRegisterFields)('POST /register %s: %j', async (field, value) => {
  const payload = JSON.stringify({ ...valid, [field]: value });
  await expectRefused({ method: 'POST', url: '/register', headers: json, payload }, 400, 'ERR_VALIDATION');
});

test('the problem names the field', async () => {
  const answer = await app.inject({
    method: 'POST',
    url: '/register',
    payload: { ...valid, port: -1, x: 1 },
  });
  const { errors } = answer.json<{ errors: { path: string }[] }>();
  expect(errors.map(({ path }) => path).sort()).toEqual(['body/port', 'body/x']);
});

test.each([
  ['GET', '/services?x=1'],
  ['GET', '/services/User-Service'],
  ['GET', '/services/constructor'],
  ['GET', '/services/__proto__'],
  ['GET', '/services/a%2Fb'],
  ['GET', '/services/a%00'],
  ['GET', '/services/user-service?x=1'],
  ['DELETE', '/services/user-service/-1'],
  ['DELETE', '/services/user-service/0'],
  ['DELETE', '/services/user-service/65536'],
  ['DELETE', '/services/user-service/abc'],
  ['DELETE', '/services/user-service/4e3'],
  ['DELETE', '/services/user-service/0x10'],
  ['DELETE', '/services/__proto__/4000'],
  ['DELETE', '/services/user-service/4000?id='],
  ['DELETE', '/services/user-service/4000?id=a&id=b'],
  ['DELETE', '/services/user-service/4000?host=a%20b'],
  ['DELETE', '/services/user-service/4000?unknown=1'],
  ['GET', '/watch?services='],
  ['GET', '/watch?services=a,,b'],
  ['GET', '/watch?services=a,B'],
  ['GET', '/watch?services=__proto__'],
  ['GET', '/watch?services=a&services=b'],
  ['GET', '/watch?unknown=1'],
  ['GET', '/health?x=1'],
] as const)('%s %s', async (method, url) => {
  await expectRefused({ method, url }, 400, 'ERR_VALIDATION');
});

test('GET /watch with more names than anybody needs', async () => {
  await expectRefused({ method: 'GET', url: `/watch?services=${'a,'.repeat(4096)}a` }, 400, 'ERR_VALIDATION');
});

test.each([
  ['/register', 'POST'],
  ['/heartbeat', 'POST'],
  ['/services', 'GET, HEAD'],
  ['/services/user-service', 'GET, HEAD'],
  ['/services/user-service/4000', 'DELETE'],
  ['/watch', 'GET'],
  ['/health', 'GET, HEAD'],
])('%s allows %s and nothing else', async (url, allow) => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'] as const) {
    if (allow.split(', ').includes(method)) continue;
    // A body that is broken must not hide that the method is wrong.
    const payload = method === 'POST' || method === 'PUT' ? { payload: '{', headers: json } : {};
    const answer = await app.inject({ method: method as 'GET', url, ...payload });
    expect({ method, status: answer.statusCode }).toEqual({ method, status: 405 });
    expect(answer.headers.allow).toBe(allow);
    if (method === 'HEAD') continue;
    expect(answer.json()).toMatchObject({ status: 405, code: 'ERR_METHOD_NOT_ALLOWED' });
  }
});

test('whatever JSON comes, the answer is 2xx or 4xx', async () => {
  const almost = fc.record(
    {
      name: fc.oneof(fc.constantFrom('a', 'constructor'), fc.string(), fc.jsonValue()),
      port: fc.oneof(fc.integer({ min: -1, max: 65_536 }), fc.jsonValue()),
      id: fc.oneof(fc.string(), fc.jsonValue()),
      host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.string(), fc.jsonValue()),
      metadata: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.jsonValue()),
      weight: fc.oneof(fc.double(), fc.jsonValue()),
      heartbeatInterval: fc.oneof(fc.double(), fc.jsonValue()),
      healthCheckUrl: fc.oneof(fc.webUrl(), fc.jsonValue()),
    },
    { requiredKeys: ['name', 'port'] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('/register', '/heartbeat'),
      fc.oneof(almost, fc.jsonValue()),
      async (url, body) => {
        const answer = await app.inject({
          method: 'POST',
          url,
          headers: json,
          payload: JSON.stringify(body),
        });
        expect(answer.statusCode).toBeLessThan(500);
        expect(answer.statusCode === 200 || answer.statusCode === 201 || answer.statusCode >= 400).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
  // Generous for machines that do much else meanwhile.
}, 30_000);
