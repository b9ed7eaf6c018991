import { expect, test } from '@jest/globals';
import Fastify, { type FastifyInstance } from 'fastify';
import { createGateway } from '../gateway.ts';
import { inspectRoutes } from './inspect-routes.ts';

async function inspected(token?: string): Promise<FastifyInstance> {
  const gateway = createGateway({
    client: { dispatcher: { dispatch: () => true } },
    routes: {
      routes: [
        {
          match: { prefix: '/shop', cookie: { side: 'b' } },
          service: 'shop',
          requestHeaders: { set: { authorization: 'Basic hunter2', 'x-region': 'eu' } },
        },
      ],
    },
  });
  const app = Fastify();
  await app.register(inspectRoutes, { gateway, ...(token !== undefined && { guard: { token } }) });
  await app.register(gateway.plugin);
  return app;
}

const headers = { host: 'localhost' };

test('the table is shown without secrets', async () => {
  const app = await inspected();
  const answer = await app.inject({ url: '/routes', headers });
  expect(answer.statusCode).toBe(200);
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.body).not.toContain('hunter2');
  expect(answer.json()).toMatchObject({
    revision: 1,
    routes: [
      {
        id: '/shop/* [cookie.side=b]',
        match: { cookie: { side: { exact: 'b' } } },
        requestHeaders: { set: { authorization: '[hidden]', 'x-region': 'eu' } },
        turnedOff: [],
      },
    ],
  });
});

test('a request is explained and not sent', async () => {
  const app = await inspected();
  const explain = (payload: object) =>
    app.inject({ method: 'POST', url: '/routes/explain', headers, payload });
  const answer = await explain({ url: '/shop/x', headers: { Cookie: 'side=b' }, clientAddress: '::1' });
  expect(answer.json()).toMatchObject({
    outcome: 'forwarded',
    service: 'shop',
    path: { forwarded: '/shop/x' },
  });
  expect((await explain({ url: '/shop/x' })).json()).toMatchObject({ outcome: 'not-found' });
  expect((await explain({ url: '/shop', more: 1 })).statusCode).toBe(400);
});

test.each([
  [undefined, { host: 'evil.example' }, 403],
  [undefined, { host: 'localhost', origin: 'http://evil.example' }, 403],
  ['t0ken', headers, 401],
  ['t0ken', { ...headers, authorization: 'Bearer t0ken' }, 200],
])('with token %s, %j gets %d', async (token, given, status) => {
  const app = await inspected(token);
  expect((await app.inject({ url: '/routes', headers: given })).statusCode).toBe(status);
  const explain = { method: 'POST' as const, url: '/routes/explain', headers: given, payload: { url: '/' } };
  expect((await app.inject(explain)).statusCode).toBe(status);
});
