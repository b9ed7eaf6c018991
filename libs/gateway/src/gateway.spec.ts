import { afterEach, describe, expect, test } from '@jest/globals';
import { HttpProblem } from '@mesh/problem';
import { callContext, createServiceClient, type Resolution } from '@mesh/service-client';
import Fastify, { type FastifyInstance } from 'fastify';
import { EventEmitter, once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
import type { Forward, Stage } from './passage.ts';
import { isRouteConfigError } from './routing/config-error.ts';
import type { RouteInput, RoutesInput } from './routing/route-schema.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** An instance that says its name and what it was asked; it listens at a port of its own. */
async function instance(handler: Handler): Promise<number> {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function naming(name: string): Handler {
  return (request, response) => {
    request.resume();
    response.setHeader('x-secret', 'of the instance');
    response.end(JSON.stringify({ name, url: request.url, headers: request.headers }));
  };
}

interface World {
  readonly app: FastifyInstance;
  readonly gateway: Gateway;
  readonly port: number;
}

/** A gateway that listens, over one instance of each service. */
async function world(
  services: Record<string, Handler>,
  options: Partial<GatewayOptions> & { routes?: string | RoutesInput },
  prepare: (app: FastifyInstance) => void = () => undefined,
): Promise<World> {
  const known = new Map<string, Resolution>();
  for (const [name, handler] of Object.entries(services)) {
    known.set(name, { instances: [{ id: `${name}-1`, host: '127.0.0.1', port: await instance(handler) }] });
  }
  const peek = (name: string): Resolution => known.get(name) ?? none;
  const client = createServiceClient({
    discovery: { peek, resolve: (name) => Promise.resolve(peek(name)) },
    retry: { maxRetries: 0 },
  });
  cleanups.push(() => client.close(0));
  const gateway = createGateway({ client, ...options });
  const app = Fastify({ forceCloseConnections: true });
  prepare(app);
  await app.register(gateway.plugin);
  await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  return { app, gateway, port: (app.server.address() as AddressInfo).port };
}

const none: Resolution = { instances: [] };

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: { name?: string; code?: string; url?: string; headers?: Record<string, string> };
}

/** One request; fails when the connection breaks. */
async function ask(
  port: number,
  path: string,
  {
    method = 'GET',
    headers = {},
    agent,
  }: { method?: string; headers?: Record<string, string>; agent?: Agent } = {},
): Promise<Answer> {
  const request = httpRequest({ port, host: '127.0.0.1', path, method, headers, ...(agent && { agent }) });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  const body = (text.startsWith('{') ? JSON.parse(text) : {}) as Answer['body'];
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

const limited = { limits: [{ limit: 1 }] };
const shop: RouteInput = { match: { prefix: '/shop' }, service: 'shop' };

describe('where a request goes', () => {
  test('to the closest route; what the app serves itself stays its own', async () => {
    const { port } = await world(
      { shop: naming('shop'), beta: naming('beta'), any: naming('any') },
      {
        routes: {
          routes: [
            shop,
            {
              match: { prefix: '/shop', headers: { 'x-beta': { present: true } } },
              service: 'beta',
              rewrite: '/v2',
            },
            { match: { prefix: '/api' }, service: '*' },
          ],
        },
      },
      (app) => {
        app.get('/shop/about', () => ({ name: 'the app' }));
        app.setNotFoundHandler((_request, reply) => reply.code(404).send({ name: 'nothing' }));
      },
    );
    expect((await ask(port, '/shop/1?q')).body).toMatchObject({ name: 'shop', url: '/shop/1?q' });
    expect((await ask(port, '/shop/1', { headers: { 'x-beta': '' } })).body).toMatchObject({
      name: 'beta',
      url: '/v2/1',
    });
    expect((await ask(port, '/shop/about')).body).toMatchObject({ name: 'the app' });
    expect((await ask(port, '/api/any/x')).body).toMatchObject({ name: 'any', url: '/x' });
    expect(await ask(port, '/elsewhere')).toMatchObject({ status: 404, body: { name: 'nothing' } });
    expect(await ask(port, '/api')).toMatchObject({ status: 404, body: { name: 'nothing' } });
    expect(await ask(port, '/api/127/x')).toMatchObject({
      status: 404,
      body: { code: 'ERR_SERVICE_UNKNOWN' },
    });
  });

  test('a path without this method is 405, with those that it has', async () => {
    const routes = {
      routes: [{ match: { prefix: '/shop', methods: ['GET', 'POST'] }, service: 'shop' }],
    } as RoutesInput;
    const { port } = await world({ shop: naming('shop') }, { routes });
    expect(await ask(port, '/shop', { method: 'DELETE' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST' },
      body: { code: 'ERR_METHOD_NOT_ALLOWED' },
    });
  });

  test('an escaped slash is refused, kept or resolved, as the route says; never to another host', async () => {
    const route = (prefix: string, encodedSlash: 'keep' | 'redirect'): RouteInput => ({
      match: { prefix },
      service: 'shop',
      paths: { encodedSlash },
    });
    const { port } = await world(
      { shop: naming('shop') },
      { routes: { routes: [shop, route('/keep', 'keep'), route('/', 'redirect')] } },
    );
    expect(await ask(port, '/shop/a%2Fb')).toMatchObject({ status: 400 });
    expect(await ask(port, '/keep/a%2Fb')).toMatchObject({ status: 200, body: { url: '/keep/a%2Fb' } });
    expect(await ask(port, '/keep/..%2fshop')).toMatchObject({ status: 400 });
    expect(await ask(port, '/r/a%2Fb?q=%2F')).toMatchObject({
      status: 308,
      headers: { location: '/r/a/b?q=%2F' },
    });
    expect(await ask(port, '/%2fevil.example/')).toMatchObject({ status: 400 });
    expect(await ask(port, '/r/a%5cb')).toMatchObject({ status: 400 });
  });

  test('fields of request and answer are changed by rules', async () => {
    const { port } = await world(
      { shop: naming('shop') },
      {
        routes: {
          routes: [
            {
              ...shop,
              requestHeaders: { set: { 'X-Region': 'eu' }, add: { 'x-tag': ['a', 'b'] }, remove: ['Cookie'] },
              responseHeaders: { set: { 'cache-control': 'no-store' }, remove: ['X-Secret'] },
            },
          ],
        },
      },
    );
    const { body, headers } = await ask(port, '/shop', {
      headers: { cookie: 'a=1', 'x-region': 'forged', 'x-tag': 'mine', 'x-kept': '1' },
    });
    expect(body.headers).toMatchObject({ 'x-region': 'eu', 'x-tag': 'mine, a, b', 'x-kept': '1' });
    expect(body.headers).not.toHaveProperty('cookie');
    expect(headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(headers).not.toHaveProperty('x-secret');
  });

  test('the instance sees the Host of the client, or its own', async () => {
    const { port } = await world(
      { shop: naming('shop') },
      { routes: { routes: [shop, { match: { prefix: '/own' }, service: 'shop', host: 'instance' }] } },
    );
    const headers = { host: 'shop.example' };
    expect((await ask(port, '/shop', { headers })).body.headers?.host).toBe('shop.example');
    expect((await ask(port, '/own', { headers })).body.headers?.host).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});

describe('a split', () => {
  const routes = (extra: object): RoutesInput => ({
    routes: [
      {
        ...shop,
        split: [{ weight: 50 }, { weight: 50, service: 'next' }],
        sticky: { header: 'x-user' },
        ...extra,
      },
    ],
  });

  test('keeps each client on its side', async () => {
    const { port } = await world({ shop: naming('shop'), next: naming('next') }, { routes: routes({}) });
    const sides = new Map<string, Set<string>>();
    for (let id = 0; id < 60; id++) {
      const user = `user-${id % 20}`;
      const { body } = await ask(port, '/shop', { headers: { 'x-user': user } });
      sides.set(user, (sides.get(user) ?? new Set()).add(body.name ?? ''));
    }
    const found = [...sides.values()].map((names) => [...names]);
    expect(found.every((names) => names.length === 1)).toBe(true);
    expect(new Set(found.flat())).toEqual(new Set(['shop', 'next']));
  });

  test('is turned back to the first branch when the other one fails', async () => {
    const rolledBack: unknown[] = [];
    const failing: Handler = (request, response) => {
      request.resume();
      response.writeHead(500).end();
    };
    const rollback = { marginRatio: 0.2, minimumSamples: 3 };
    const { port, gateway } = await world(
      { shop: naming('shop'), next: failing },
      {
        routes: routes({ rollback, id: 'shop' }),
        onRollback: (route, what) => rolledBack.push({ route, ...what }),
      },
    );
    const statuses: number[] = [];
    for (let id = 0; id < 40; id++) {
      statuses.push((await ask(port, '/shop', { headers: { 'x-user': `user-${id}` } })).status);
    }
    expect(statuses.filter((status) => status === 500)).toHaveLength(3);
    expect(rolledBack).toEqual([
      { route: 'shop', branch: 'next', failureRatio: 1, stableRatio: 0, samples: 3 },
    ]);
    expect(gateway.explain({ url: '/shop' }).branch).toMatchObject({ name: 'default', turnedOff: ['next'] });
  });
});

describe('policies', () => {
  function recording(seen: string[]): NonNullable<GatewayOptions['policies']> {
    const stage = (name: string): Stage => {
      return (passage) => {
        seen.push(`${name} of ${passage.routeId} for ${passage.service}`);
        passage.answerHeaders.push(`x-${name}`, '1');
        return undefined;
      };
    };
    return {
      overload: { stage: (priority) => stage(`overload-${priority}`) },
      auth: () => (passage) => {
        passage.identity = { subject: 'ada', scopes: [], by: 'jwt', claims: {} };
        return Promise.resolve(stage('auth')(passage));
      },
      rateLimit: () => (passage) => stage(`limit-${passage.identity?.subject ?? 'nobody'}`)(passage),
      cache: {
        around: (_rules, next): Forward => {
          return (passage, sink) => {
            seen.push('cache');
            return next(passage, sink);
          };
        },
      },
    };
  }

  test('come in one order, on the routes that name them and no others', async () => {
    const seen: string[] = [];
    const { port, gateway } = await world(
      { shop: naming('shop') },
      {
        policies: recording(seen),
        routes: {
          defaults: { auth: {}, rateLimit: { limits: [{ limit: 1 }, { limit: 2, by: 'subject' }] } },
          routes: [
            { id: 'all', match: { prefix: '/all' }, service: 'shop', cache: {}, priority: 'low' },
            { id: 'few', match: { prefix: '/few' }, service: 'shop', auth: false, rateLimit: false },
          ],
        },
      },
    );
    const { headers } = await ask(port, '/all');
    expect(seen.splice(0)).toEqual([
      'overload-low of all for shop',
      'limit-nobody of all for shop',
      'auth of all for shop',
      'limit-ada of all for shop',
      'cache',
    ]);
    expect(headers).toMatchObject({ 'x-overload-low': '1', 'x-auth': '1', 'x-limit-ada': '1' });
    await ask(port, '/few');
    expect(seen).toEqual(['overload-normal of few for shop']);
    const { steps = [] } = gateway.explain({ url: '/all' });
    expect(steps.map(({ name }) => name)).toEqual([
      'overload',
      'rateLimit',
      'auth',
      'rateLimit',
      'cache',
      'forward',
    ]);
  });

  test('a refusal is the answer, with what the stages had to say, and the connection stays of use', async () => {
    let calls = 0;
    const { port } = await world(
      {
        shop: (_request, response) => {
          calls++;
          response.end();
        },
      },
      {
        policies: {
          rateLimit: () => (passage) => {
            passage.answerHeaders.push('ratelimit', '"r";r=0;t=7');
            return new HttpProblem('ERR_RATE_LIMITED', 'Too many.', { retryAfterMs: 7_000 });
          },
        },
        routes: { routes: [{ ...shop, rateLimit: limited }] },
      },
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.push(() => {
      agent.destroy();
    });
    for (let time = 0; time < 2; time++) {
      expect(await ask(port, '/shop', { method: 'POST', agent })).toMatchObject({
        status: 429,
        headers: { ratelimit: '"r";r=0;t=7', 'retry-after': '7' },
      });
    }
    expect(calls).toBe(0);
  });

  test('a route that names a policy which is not set up is refused with its place, never served without it', async () => {
    const { gateway, port } = await world({ shop: naming('shop') }, { routes: { routes: [shop] } });
    const text = 'routes:\n  - match: { prefix: /shop }\n    service: shop\n    auth: { scopes: [a] }\n';
    const fault = thrownBy(() => gateway.update(text, { file: 'r.yaml' }));
    expect(isRouteConfigError(fault) && fault.faults).toEqual([
      {
        file: 'r.yaml',
        line: 2,
        column: 5,
        path: 'routes[0]',
        message: 'auth is not set up at this gateway',
      },
    ]);
    expect((await ask(port, '/shop')).status).toBe(200);
  });

  test('a client that leaves while a stage waits is not sent for', async () => {
    let calls = 0;
    const gate = new EventEmitter();
    const { port } = await world(
      {
        shop: (_request, response) => {
          calls++;
          response.end();
        },
      },
      {
        policies: {
          auth: () => (passage) => {
            passage.onEnd(() => gate.emit('left'));
            gate.emit('waiting');
            return once(gate, 'go').then(() => undefined);
          },
        },
        routes: { routes: [{ ...shop, auth: {} }] },
      },
    );
    const waiting = once(gate, 'waiting');
    const request = httpRequest({ port, host: '127.0.0.1', path: '/shop' });
    request.on('error', () => undefined);
    request.end();
    await waiting;
    const left = once(gate, 'left');
    request.destroy();
    await left;
    gate.emit('go');
    await new Promise(setImmediate);
    expect(calls).toBe(0);
  });
});

describe('update', () => {
  test('tells what it changes, and is taken back by what it gives', async () => {
    const { gateway, port } = await world(
      { shop: naming('shop'), next: naming('next') },
      {
        routes: {
          routes: [
            { id: 'a', ...shop },
            { id: 'b', match: { prefix: '/b' }, service: 'shop' },
          ],
        },
      },
    );
    const before = gateway.routes;
    const change = gateway.update({
      routes: [
        { id: 'a', match: { prefix: '/shop' }, service: 'next' },
        { id: 'c', match: { prefix: '/c' }, service: 'shop' },
      ],
    });
    expect(change).toMatchObject({ added: ['c'], removed: ['b'], changed: ['a'] });
    expect((await ask(port, '/shop')).body.name).toBe('next');
    expect((await ask(port, '/b')).status).toBe(404);
    expect(gateway.update(change.previous)).toMatchObject({ added: ['b'], removed: ['c'], changed: ['a'] });
    expect(gateway.routes).toEqual(before);
    expect((await ask(port, '/shop')).body.name).toBe('shop');
  });

  test('with a fault changes nothing', async () => {
    const { gateway, port } = await world({ shop: naming('shop') }, { routes: { routes: [shop] } });
    const before = gateway.routes;
    expect(thrownBy(() => gateway.update('routes: [{ match: { prefix: /x } }]'))).toMatchObject({
      code: 'ERR_CONFIG',
    });
    expect(gateway.routes).toBe(before);
    expect((await ask(port, '/shop')).status).toBe(200);
  });

  test('leaves to a policy that stays the same what it has counted, whatever else changes', async () => {
    const made: number[][] = [];
    const policies: GatewayOptions['policies'] = {
      rateLimit: (rules) => {
        made.push(rules.limits.map(({ limit }) => limit));
        return () => undefined;
      },
    };
    const one: RouteInput = { ...shop, rateLimit: limited };
    const { gateway } = await world({}, { policies, routes: { routes: [one] } });
    gateway.update({ routes: [one, { match: { prefix: '/b' }, service: 'b' }] });
    gateway.update({ routes: [{ ...one, service: 'next' }] });
    gateway.update({ routes: [{ ...one, rateLimit: { limits: [{ limit: 2 }] } }] });
    expect(made).toEqual([[1], [2]]);
  });

  test('while requests are under way loses none, and each keeps the routes it began with', async () => {
    const open = new EventEmitter();
    const slow: Handler = (request, response) => {
      request.resume();
      response.write('{"name":');
      open.once('end', () => response.end('"slow"}'));
      open.emit('began');
    };
    const { gateway, port } = await world(
      { shop: naming('shop'), next: naming('next'), slow },
      { routes: { routes: [shop, { match: { prefix: '/slow' }, service: 'slow' }] } },
    );
    const began = once(open, 'began');
    const underWay = ask(port, '/slow');
    await began;

    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    cleanups.push(() => {
      agent.destroy();
    });
    let isOver = false;
    const answers: Answer[] = [];
    const asking = Array.from({ length: 16 }, async () => {
      while (!isOver) answers.push(await ask(port, '/shop/x', { agent }));
    });
    for (let time = 0; time < 100; time++) {
      const service = time % 2 === 0 ? 'next' : 'shop';
      gateway.update({ routes: [{ match: { prefix: '/shop' }, service }] });
      if (time % 10 === 0)
        expect(thrownBy(() => gateway.update('routes: ['))).toMatchObject({ code: 'ERR_CONFIG' });
      const seen = answers.length;
      while (answers.length < seen + 5) await new Promise(setImmediate);
    }
    isOver = true;
    await Promise.all(asking);
    expect(answers.length).toBeGreaterThanOrEqual(500);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(new Set(answers.map(({ body }) => body.name))).toEqual(new Set(['shop', 'next']));

    open.emit('end');
    expect(await underWay).toMatchObject({ status: 200, body: { name: 'slow' } });
    expect((await ask(port, '/slow')).status).toBe(404);
  });

  test('between the match and the handler finds the request with the routes of its match', async () => {
    const gate = new EventEmitter();
    const { gateway, port } = await world({ shop: naming('shop') }, { routes: { routes: [shop] } }, (app) => {
      app.addHook('onRequest', async () => {
        gate.emit('matched');
        await once(gate, 'go');
      });
    });
    const matched = once(gate, 'matched');
    const answer = ask(port, '/shop');
    await matched;
    gateway.update({ routes: [] });
    gate.emit('go');
    expect(await answer).toMatchObject({ status: 200, body: { name: 'shop' } });
  });
});

describe('explain', () => {
  const instances: GatewayOptions['instances'] = (service) => [
    { id: `${service}-1`, host: '127.0.0.1', port: 1, version: '1' },
    { id: `${service}-2`, host: '127.0.0.1', port: 2, metadata: { version: '2' } },
  ];

  test('tells route, branch, steps and instances', async () => {
    const { gateway } = await world(
      {},
      {
        instances,
        policies: { auth: () => () => undefined },
        routes: {
          routes: [
            {
              id: 'shop',
              match: { prefix: '/shop' },
              service: 'shop',
              rewrite: '/',
              split: [{ weight: 0 }, { weight: 1, where: { version: '2' } }],
              sticky: { header: 'x-user' },
              auth: { scopes: ['shop:read'] },
              timeouts: { totalMs: 100 },
            },
          ],
        },
      },
    );
    const explained = gateway.explain({ url: '/shop/%31?q', headers: { 'X-User': 'ada' } });
    expect(explained).toEqual({
      outcome: 'forwarded',
      path: { received: '/shop/%31?q', matched: '/shop/1', forwarded: '/%31?q' },
      route: { id: 'shop', match: { prefix: '/shop' } },
      service: 'shop',
      branch: { name: '2', by: 'client', turnedOff: [] },
      steps: [
        { name: 'auth', settings: expect.objectContaining({ scopes: ['shop:read'] }) },
        { name: 'forward', settings: expect.objectContaining({ timeouts: { totalMs: 100 } }) },
      ],
      instances: [expect.objectContaining({ id: 'shop-2' })],
    });
  });

  test.each([
    ['/nowhere', 'GET', { outcome: 'not-found' }],
    ['/shop', 'DELETE', { outcome: 'refused', reason: { code: 'ERR_METHOD_NOT_ALLOWED' } }],
    ['/shop/../x', 'GET', { outcome: 'refused', reason: { code: 'ERR_BAD_REQUEST' } }],
    ['/r/a%2fb', 'get', { outcome: 'redirected', location: '/r/a/b' }],
    ['/api/any/x', 'GET', { outcome: 'forwarded', service: 'any', path: { forwarded: '/x' } }],
  ])('%s by %s', async (url, method, expected) => {
    const { gateway } = await world(
      {},
      {
        routes: {
          routes: [
            { match: { prefix: '/shop', methods: ['GET'] }, service: 'shop' },
            { match: { prefix: '/r' }, service: 'shop', paths: { encodedSlash: 'redirect' } },
            { match: { prefix: '/api' }, service: '*' },
          ],
        },
      },
    );
    expect(gateway.explain({ url, method })).toMatchObject(expected);
  });
});

test.each([
  [{ bodyLimitBytes: -1 }, 'bodyLimitBytes'],
  [{ idleTimeoutMs: 1.5 }, 'idleTimeoutMs'],
])('%j is refused', (options, word) => {
  const client = { dispatcher: { dispatch: () => true } };
  expect(() => createGateway({ client, ...options })).toThrow(RangeError);
  expect(() => createGateway({ client, ...options })).toThrow(word);
});

test('a call has the wishes of its route and its branch', async () => {
  const contexts: object[] = [];
  const controller = { abort: () => undefined, pause: () => undefined, resume: () => undefined };
  const client: GatewayOptions['client'] = {
    dispatcher: {
      dispatch: (options, handler) => {
        contexts.push({ ...options[callContext] });
        handler.onRequestStart(controller, {});
        handler.onResponseStart(controller, 204, {}, '');
        handler.onResponseEnd(controller, {});
        return true;
      },
    },
  };
  const { port } = await world(
    {},
    {
      client,
      routes: {
        routes: [
          {
            ...shop,
            id: 'shop',
            split: [{ weight: 1, where: { version: '2', zone: 'eu' } }],
            timeouts: { totalMs: 700 },
            circuitBreaker: { maximumFailuresAllowed: 5 },
          },
          { match: { prefix: '/plain' }, service: 'shop' },
        ],
      },
    },
  );
  await ask(port, '/shop');
  await ask(port, '/plain');
  expect(contexts[0]).toMatchObject({
    policy: expect.anything(),
    where: { version: '2', zone: 'eu' },
    routeClass: 'shop',
  });
  expect(contexts[1]).toMatchObject({ policy: undefined, where: undefined, routeClass: undefined });
});

test('a branch reaches the instances whose metadata it names, and no others', async () => {
  const [one, two] = [await instance(naming('version 1')), await instance(naming('version 2'))];
  const instances = [
    { id: 'shop-1', host: '127.0.0.1', port: one, version: '1' },
    { id: 'shop-2', host: '127.0.0.1', port: two, metadata: { version: '2' } },
  ];
  const client = createServiceClient({
    discovery: { peek: () => ({ instances }), resolve: () => Promise.resolve({ instances }) },
  });
  cleanups.push(() => client.close(0));
  const only = (beta: string, where: Record<string, string>): RouteInput => ({
    match: { prefix: '/shop', headers: { 'x-beta': beta } },
    service: 'shop',
    split: [{ weight: 1, where }],
  });
  const { port } = await world(
    {},
    {
      client,
      routes: {
        routes: [only('1', { version: '2' }), only('0', { version: '1' }), only('x', { version: '9' })],
      },
    },
  );
  for (let time = 0; time < 8; time++) {
    expect((await ask(port, '/shop', { headers: { 'x-beta': '1' } })).body.name).toBe('version 2');
    expect((await ask(port, '/shop', { headers: { 'x-beta': '0' } })).body.name).toBe('version 1');
  }
  expect(await ask(port, '/shop', { headers: { 'x-beta': 'x' } })).toMatchObject({
    status: 503,
    body: { code: 'ERR_NO_INSTANCE' },
  });
});

test('the time limits of a route hold, and of no other', async () => {
  const silent: Handler = (request) => {
    request.resume();
  };
  const { port } = await world(
    { silent, shop: naming('shop') },
    {
      routes: {
        defaults: { retry: false },
        routes: [
          { match: { prefix: '/attempt' }, service: 'silent', timeouts: { attemptMs: 30 } },
          { match: { prefix: '/total' }, service: 'silent', timeouts: { totalMs: 30 } },
        ],
      },
    },
  );
  for (const path of ['/attempt', '/total']) {
    expect(await ask(port, path)).toMatchObject({ status: 504, body: { code: 'ERR_TIMEOUT' } });
  }
});

test('two gateways on one app serve side by side', async () => {
  const second = createGateway({
    client: { dispatcher: { dispatch: () => true } },
    routes: { routes: [{ match: { prefix: '/shop', methods: ['GET'] }, service: 'shop' }] },
  });
  const { port } = await world(
    { one: naming('one') },
    { routes: { routes: [{ match: { prefix: '/one' }, service: 'one' }] } },
    (app) => {
      app.register(second.plugin);
    },
  );
  expect((await ask(port, '/one')).body.name).toBe('one');
  expect((await ask(port, '/shop', { method: 'PUT' })).status).toBe(405);
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
