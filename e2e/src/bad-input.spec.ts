import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call, get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

let mesh: RunningMesh;

beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.stop());

type Door = 'discovery' | 'api-gateway' | 'user-service' | 'order-service';
type Case = readonly [door: Door, method: string, path: string, body: unknown, status: number];

const big = JSON.stringify({ name: 'x'.repeat(3_000_000) });
const register = { name: 'a-service', port: 4123 };
const user = { name: 'Eve', email: 'eve@example.com', age: 20 };
const order = { userId: 1, products: ['P'] };

const bodies: readonly Case[] = [
  // discovery
  ['discovery', 'POST', '/register', {}, 400],
  ['discovery', 'POST', '/register', [], 400],
  ['discovery', 'POST', '/register', 'null', 400],
  ['discovery', 'POST', '/register', '{"name":', 400],
  ['discovery', 'POST', '/register', { ...register, port: -1 }, 400],
  ['discovery', 'POST', '/register', { ...register, port: 65_536 }, 400],
  ['discovery', 'POST', '/register', { ...register, port: '4123' }, 400],
  ['discovery', 'POST', '/register', { ...register, port: 1.5 }, 400],
  ['discovery', 'POST', '/register', { ...register, name: '__proto__' }, 400],
  ['discovery', 'POST', '/register', { ...register, name: '../etc' }, 400],
  ['discovery', 'POST', '/register', { ...register, heartbeatInterval: 0 }, 400],
  ['discovery', 'POST', '/register', { ...register, heartbeatInterval: 1e9 }, 400],
  ['discovery', 'POST', '/register', { ...register, surprise: true }, 400],
  ['discovery', 'POST', '/register', { ...register, metadata: { a: { b: 1 } } }, 400],
  ['discovery', 'POST', '/register', '{"name":"a","port":1,"__proto__":{"x":1}}', 400],
  ['discovery', 'POST', '/register', '{"name":"a","port":1,"metadata":{"__proto__":"x"}}', 400],
  ['discovery', 'POST', '/register', big, 413],
  ['discovery', 'POST', '/heartbeat', { name: 'nobody', port: 1 }, 404],
  ['discovery', 'POST', '/heartbeat', { port: 1 }, 400],
  ['discovery', 'GET', '/services/nobody', undefined, 404],
  ['discovery', 'GET', '/services/__proto__', undefined, 400],
  ['discovery', 'GET', '/services/constructor', undefined, 400],
  ['discovery', 'DELETE', '/services/nobody/1', undefined, 404],
  ['discovery', 'DELETE', '/services/nobody/abc', undefined, 400],
  ['discovery', 'DELETE', '/services/nobody/-1', undefined, 400],
  ['discovery', 'PUT', '/register', register, 405],
  ['discovery', 'POST', '/invoke', { serviceName: 'nobody', endpoint: '/' }, 404],
  ['discovery', 'POST', '/invoke', { serviceName: 'user-service', endpoint: 'http://evil.example/' }, 400],
  ['discovery', 'POST', '/invoke', { serviceName: 'user-service', endpoint: '//evil.example/' }, 400],
  ['discovery', 'POST', '/invoke', { serviceName: '127.0.0.1:22', endpoint: '/' }, 400],
  ['discovery', 'POST', '/invoke', { endpoint: '/' }, 400],
  ['discovery', 'GET', '/nowhere', undefined, 404],
  // gateway
  ['api-gateway', 'GET', '/orders/user/abc', undefined, 400],
  ['api-gateway', 'GET', '/orders/user/-1', undefined, 400],
  ['api-gateway', 'GET', '/orders/user/1e99', undefined, 400],
  ['api-gateway', 'GET', '/users?limit=0', undefined, 400],
  ['api-gateway', 'GET', '/users?surprise=1', undefined, 400],
  ['api-gateway', 'GET', '/api/no-such-service/x', undefined, 404],
  ['api-gateway', 'GET', '/api/__proto__/x', undefined, 404],
  ['api-gateway', 'GET', '/api/user-service/a%2f..%2fhealth', undefined, 400],
  ['api-gateway', 'POST', '/api/orders', '{"userId":', 400],
  ['api-gateway', 'POST', '/api/orders', { userId: 'one', products: [] }, 400],
  ['api-gateway', 'POST', '/api/orders', big, 413],
  ['api-gateway', 'POST', '/api/users', { ...user, age: -1 }, 400],
  ['api-gateway', 'POST', '/users', user, 405],
  ['api-gateway', 'DELETE', '/health', undefined, 405],
  ['api-gateway', 'POST', '/invoke', '[]', 400],
  ['api-gateway', 'GET', '/nowhere', undefined, 404],
  // user
  ['user-service', 'POST', '/users', { ...user, email: 'nobody' }, 400],
  ['user-service', 'POST', '/users', { ...user, age: '20' }, 400],
  ['user-service', 'POST', '/users', { ...user, role: 'admin' }, 400],
  ['user-service', 'POST', '/users', '{"name":"a","email":"a@b.cd","age":1,"__proto__":{}}', 400],
  ['user-service', 'POST', '/users', { ...user, email: 'john@example.com' }, 409],
  ['user-service', 'POST', '/users', big, 413],
  ['user-service', 'GET', '/users/0', undefined, 400],
  ['user-service', 'GET', '/users/99999', undefined, 404],
  ['user-service', 'GET', '/users?ids=1,x', undefined, 400],
  ['user-service', 'PUT', '/users/1', { name: 'only' }, 400],
  ['user-service', 'PATCH', '/users/1', { surprise: 1 }, 400],
  ['user-service', 'DELETE', '/users/99999', undefined, 404],
  ['user-service', 'POST', '/users/1', user, 405],
  ['user-service', 'PUT', '/users', user, 405],
  // order
  ['order-service', 'POST', '/orders', { ...order, userId: -1 }, 400],
  ['order-service', 'POST', '/orders', { ...order, products: [] }, 400],
  ['order-service', 'POST', '/orders', { ...order, products: [1] }, 400],
  ['order-service', 'POST', '/orders', { ...order, status: 'paid' }, 400],
  ['order-service', 'POST', '/orders', big, 413],
  ['order-service', 'GET', '/orders/99999', undefined, 404],
  ['order-service', 'GET', '/orders/user/x', undefined, 400],
  ['order-service', 'GET', '/orders?userIds=', undefined, 400],
  ['order-service', 'DELETE', '/orders/1', undefined, 405],
];

const cases = bodies.map(([door, method, path, body, status]) => ({
  title: `${door}: ${method} ${path} ${JSON.stringify(body ?? '').slice(0, 70)} -> ${status}`,
  url: () => `${mesh.url(door)}${path}`,
  method,
  body,
  status,
}));

test.each(cases)('$title', async ({ url, method, body, status }) => {
  const answer = await call(method, url(), body);
  expect({ status: answer.status, body: answer.body }).toEqual({
    status,
    body: expect.objectContaining({
      status,
      code: expect.stringMatching(/^ERR_[A-Z_]+$/),
      title: expect.any(String),
    }),
  });
  expect(answer.headers.get('content-type')).toMatch(/application\/problem\+json/);
});

test('another content type is refused', async () => {
  for (const [door, path] of [
    ['discovery', '/register'],
    ['user-service', '/users'],
    ['order-service', '/orders'],
  ] as const) {
    const answer = await call('POST', `${mesh.url(door)}${path}`, '<x/>', {
      'content-type': 'application/xml',
    });
    expect([path, answer.status, answer.body.code]).toEqual([path, 415, 'ERR_MEDIA_TYPE']);
  }
});

test('a foreign Host and a foreign Origin may not change the registry', async () => {
  const foreign = await call('POST', `${mesh.url('discovery')}/register`, register, {
    origin: 'http://evil.example',
  });
  expect([foreign.status, foreign.body.code]).toEqual([403, 'ERR_FORBIDDEN']);
});

describe('after all of it', () => {
  test.each(['discovery', 'api-gateway', 'user-service', 'order-service'] as const)(
    '%s is healthy and nobody was restarted',
    async (door) => {
      const { status, body } = await get(`${mesh.url(door)}/health`);
      expect([status, body.status]).toEqual([200, 'healthy']);
      expect(mesh.instances(door).every(({ restarts }) => restarts === 0)).toBe(true);
    },
  );

  test('and nothing was written', async () => {
    expect((await get(`${mesh.url('user-service')}/users`)).body.meta.total).toBe(3);
    expect((await get(`${mesh.url('order-service')}/orders`)).body.meta.total).toBe(3);
  });
});
