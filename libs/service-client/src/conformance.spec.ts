import { afterEach, describe, expect, test } from '@jest/globals';
import replyFrom from '@fastify/reply-from';
// eslint-disable-next-line @nx/enforce-module-boundaries -- the host of the proxy under test; the workspace has it
import Fastify, { type FastifyReply } from 'fastify';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { request as httpRequest } from 'node:http';
import { fetch as undiciFetch, request, type Dispatcher } from 'undici';
import { createServiceClient, type ServiceClient, type ServiceClientOptions } from './index.ts';
import { StaticDiscovery, Upstream, answer, eventually } from './testing/upstream.ts';

/** The same scenarios through every door that undici's extension point opens: the dispatcher may not know who uses it. */

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

type Door = (client: ServiceClient, path: string, asked?: Asked) => Promise<Answer>;

async function viaRequest(dispatcher: Dispatcher, path: string, asked: Asked = {}): Promise<Answer> {
  const { statusCode, body } = await request(`http://user-service${path}`, { dispatcher, ...asked });
  return { status: statusCode, text: await body.text() };
}

async function viaFetch(fetch: typeof undiciFetch, client: ServiceClient, path: string, asked: Asked = {}) {
  const response = await fetch(`http://user-service${path}`, { dispatcher: client.dispatcher, ...asked });
  return { status: response.status, text: await response.text() };
}

/** A proxy of somebody else: undici 7 asks our dispatcher of undici 8. */
async function viaReplyFrom(client: ServiceClient, path: string, asked: Asked = {}): Promise<Answer> {
  const app = Fastify();
  await app.register(replyFrom, {
    base: 'http://user-service',
    undici: client.dispatcher as never,
    // Off, as in every proxy on a client that retries: attempts must not multiply.
    retryDelay: () => null,
    globalAgent: false,
    disableRequestLogging: true,
  } as never);
  app.addContentTypeParser('*', (_request, payload, done) => {
    done(null, payload);
  });
  app.all('/*', (incoming, reply) =>
    reply.from(incoming.url, {
      onError: (answering: FastifyReply, { error }: { error: Error }) => void answering.code(502).send(error),
    } as never),
  );
  await app.listen({ port: 0, host: '127.0.0.1' });
  cleanup.push(() => app.close());
  const { port } = app.server.address() as { port: number };
  return asBrowser(port, path, asked);
}

function asBrowser(
  port: number,
  path: string,
  { method = 'GET', body, headers, signal }: Asked,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        agent: false,
        ...(headers && { headers }),
        ...(signal && { signal }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text });
        });
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const doors: readonly (readonly [string, Door])[] = [
  ['undici.request', (client, path, asked) => viaRequest(client.dispatcher, path, asked)],
  ['undici.fetch', (client, path, asked) => viaFetch(undiciFetch, client, path, asked)],
  ['global fetch', (client, path, asked) => viaFetch(fetch as never, client, path, asked)],
  ['@fastify/reply-from', viaReplyFrom],
];

async function upstream(id: string, listener: RequestListener): Promise<Upstream> {
  const server = await new Upstream(id, listener).listen();
  cleanup.push(() => server.kill());
  return server;
}

function clientOf(servers: readonly Upstream[], options: Partial<ServiceClientOptions> = {}): ServiceClient {
  const discovery = new StaticDiscovery(servers.map(({ instance }) => instance));
  const client = createServiceClient({
    ...{ discovery, strategy: 'round-robin', retry: { baseDelayMs: 2 } },
    ...options,
  });
  cleanup.push(() => client.close(0));
  return client;
}

const inflight = (client: ServiceClient): number =>
  client.getSnapshot().services['user-service']?.instances.reduce((sum, each) => sum + each.inflight, 0) ?? 0;

describe.each(doors)('%s', (_, ask) => {
  test('GET', async () => {
    const client = clientOf([await upstream('a', answer(200, 'a'))]);
    const { status, text } = await ask(client, '/users?page=2');
    expect([status, JSON.parse(text)]).toEqual([200, { instance: 'a', path: '/users?page=2' }]);
  });

  test('POST with a body', async () => {
    const seen: string[] = [];
    const client = clientOf([
      await upstream('a', (incoming, response) => {
        let text = '';
        incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
        incoming.on('end', () => {
          seen.push(`${incoming.method ?? ''} ${text}`);
          response.writeHead(201).end('made');
        });
      }),
    ]);
    const headers = { 'content-type': 'text/plain', 'content-length': '5' };
    expect(await ask(client, '/users', { method: 'POST', body: 'hello', headers })).toEqual({
      status: 201,
      text: 'made',
    });
    expect(seen).toEqual(['POST hello']);
  });

  test('a 404 is passed on', async () => {
    const server = await upstream('a', answer(404, 'a'));
    expect((await ask(clientOf([server]), '/')).status).toBe(404);
    expect(server.hits).toBe(1);
  });

  test('a 503 is repeated at another instance', async () => {
    const [bad, good] = [
      await upstream('bad', answer(503, 'bad')),
      await upstream('good', answer(200, 'good')),
    ];
    const client = clientOf([bad, good]);
    for (let i = 0; i < 4; i++) expect((await ask(client, '/')).status).toBe(200);
    expect(bad.hits).toBeGreaterThan(0);
  });

  test('a streamed body arrives whole', async () => {
    const size = 300_000;
    const client = clientOf([
      await upstream('a', (_request, response) => {
        for (let sent = 0; sent < size; sent += 10_000) response.write('x'.repeat(10_000));
        response.end();
      }),
    ]);
    expect((await ask(client, '/')).text).toHaveLength(size);
    await eventually(() => inflight(client) === 0, 'load back at 0');
  });

  test('an abort before the head reaches the instance', async () => {
    let closed = 0;
    const server = await upstream('a', (incoming) => {
      incoming.on('close', () => (closed += 1));
    });
    const client = clientOf([server], { attemptTimeoutMs: 0, timeoutMs: 0 });
    const abort = new AbortController();
    const call = ask(client, '/', { signal: abort.signal }).catch((error: unknown) => error);
    await eventually(() => server.hits === 1, 'a request');
    abort.abort();
    await call;
    // Others' proxies do not pass an abort on before the head (fastify-reply-from, measured): then closing the client ends it.
    if (ask === viaReplyFrom) await client.close(0);
    await eventually(() => closed === 1 && inflight(client) === 0, 'closed upstream');
  });

  test('no instance is an error', async () => {
    const outcome = await ask(clientOf([]), '/').then(
      ({ status }) => status,
      () => 'failed',
    );
    // The proxy makes a status of its own of it.
    expect([500, 502, 503, 'failed']).toContain(outcome);
  });

  test('trace headers are sent, once each', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const client = clientOf([
      await upstream('a', (incoming, response) => {
        seen.push(incoming.headers);
        response.end();
      }),
    ]);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await ask(client, '/', { headers: { traceparent } });
    expect(seen[0]).toMatchObject({ 'x-trace-id': traceparent.slice(3, 35) });
    expect(seen[0]?.traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
  });

  test('a truncated body is an error, not a short answer', async () => {
    const client = clientOf([
      await upstream('a', (_request, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('short');
        setTimeout(() => response.destroy(), 5);
      }),
    ]);
    await expect(ask(client, '/')).rejects.toBeDefined();
    await eventually(() => inflight(client) === 0, 'load back at 0');
  });
});

describe('a server that closes idle connections', () => {
  test('a GET that meets its end is rescued, nobody is blamed', async () => {
    // Closes the connection instead of answering the second request on it: what a keep-alive limit looks like in a race.
    const perSocket = new WeakMap<object, number>();
    const server = await upstream('a', (incoming, response) => {
      const count = (perSocket.get(incoming.socket) ?? 0) + 1;
      perSocket.set(incoming.socket, count);
      if (count > 1) incoming.socket.resetAndDestroy();
      else response.end('ok');
    });
    const client = clientOf([server], { retry: { maxRetries: 0 } });
    for (let i = 0; i < 6; i++) expect((await viaRequest(client.dispatcher, '/')).text).toBe('ok');
    const { instances, figures } = client.getSnapshot().services['user-service'] ?? {};
    expect(instances?.[0]).toMatchObject({ failureCount: 0, state: 'closed' });
    expect(figures?.rescues).toBeGreaterThan(0);
    // A POST may have been carried out: it fails, and is not sent again.
    const hits = server.hits;
    const posts = [1, 2, 3].map(() => viaRequest(client.dispatcher, '/', { method: 'POST', body: 'x' }));
    await Promise.allSettled(posts);
    const again = await Promise.allSettled(
      posts.map(() => viaRequest(client.dispatcher, '/', { method: 'POST', body: 'x' })),
    );
    expect(again.some(({ status }) => status === 'rejected')).toBe(true);
    expect(server.hits).toBe(hits + 6);
  });
});

test('debug headers tell what was done, parsed and raw', async () => {
  const [bad, good] = [
    await upstream('bad', answer(503, 'bad')),
    await upstream('good', answer(200, 'good')),
  ];
  const client = clientOf([bad, good], { debugHeaders: true });
  const response = await client.request({ service: 'user-service', path: '/' });
  await response.dump();
  const second = await client.request({ service: 'user-service', path: '/' });
  await second.dump();
  const retried = [response, second].find(({ attempts }) => attempts === 2);
  expect(retried?.headers).toMatchObject({
    'x-mesh-service': 'user-service',
    'x-mesh-instance': 'good',
    'x-mesh-attempts': '2',
    'x-mesh-retries': '1',
  });
  const raw: unknown[] = [];
  await new Promise<void>((resolve, reject) => {
    client.dispatcher.dispatch(
      { origin: 'http://user-service', path: '/', method: 'GET' },
      {
        onRequestStart: () => undefined,
        onResponseStart: (controller) => raw.push(...(controller.rawHeaders as Buffer[]).map(String)),
        onResponseData: () => undefined,
        onResponseEnd: () => {
          resolve();
        },
        onResponseError: (_controller, error) => {
          reject(error);
        },
      },
    );
  });
  expect(raw).toContain('x-mesh-instance');
});
