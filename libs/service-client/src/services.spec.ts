import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Agent, fetch as undiciFetch, request, type Dispatcher } from 'undici';
import { StaticDiscovery, Upstream, answer, eventually } from './testing/upstream.ts';
import { callContext, createCallContext } from './call-context.ts';
import { isNoInstanceError, isTimeoutError, isUpstreamError } from './errors.ts';
import { retry } from './retry.ts';
import { ServicePools } from './service-pool.ts';
import { services, type ServicesOptions } from './services.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function upstream(id: string, status = 200, headers: Record<string, string> = {}): Promise<Upstream> {
  const server = await new Upstream(id, answer(status, id, headers)).listen();
  cleanup.push(() => server.kill());
  return server;
}

interface Mesh {
  readonly dispatcher: Dispatcher;
  readonly pools: ServicePools;
  readonly discovery: StaticDiscovery;
}

/** `services()` alone on an agent: what it does without retry. */
function mesh(upstreams: readonly Upstream[], options: ServicesOptions = {}): Mesh {
  const discovery = new StaticDiscovery(upstreams.map(({ instance }) => instance));
  const pools = new ServicePools({ strategy: 'round-robin', ...options });
  const agent = new Agent();
  cleanup.push(() => agent.destroy());
  return { discovery, pools, dispatcher: agent.compose(services(discovery, { ...options, pools })) };
}

const row = ({ pools }: Mesh, id: string) =>
  pools.getSnapshot()['user-service']?.instances.find((instance) => instance.id === id);

const idle = (of: Mesh): Promise<void> =>
  eventually(
    () => (of.pools.getSnapshot()['user-service']?.instances ?? []).every(({ inflight }) => inflight === 0),
    'every load back at 0',
  );

async function caught(promise: Promise<unknown>): Promise<Error & { code?: string; cause?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

describe('every way in', () => {
  /** The same call through each door; each gives status and body. */
  const doors: Record<
    string,
    (dispatcher: Dispatcher, path: string) => Promise<{ status: number; text: string }>
  > = {
    'undici.request': async (dispatcher, path) => {
      const { statusCode, body } = await request(`http://user-service${path}`, { dispatcher });
      return { status: statusCode, text: await body.text() };
    },
    'dispatcher.request': async (dispatcher, path) => {
      const { statusCode, body } = await dispatcher.request({
        origin: 'http://user-service',
        path,
        method: 'GET',
      });
      return { status: statusCode, text: await body.text() };
    },
    'undici.fetch': async (dispatcher, path) => {
      const response = await undiciFetch(`http://user-service${path}`, { dispatcher });
      return { status: response.status, text: await response.text() };
    },
    'global fetch': async (dispatcher, path) => {
      const init = { dispatcher } as unknown as RequestInit;
      const response = await fetch(`http://user-service${path}`, init);
      return { status: response.status, text: await response.text() };
    },
    'dispatcher.dispatch': (dispatcher, path) =>
      new Promise((resolve, reject) => {
        const seen = { status: 0, text: '' };
        dispatcher.dispatch(
          { origin: 'http://user-service', path, method: 'GET' },
          {
            onRequestStart: () => undefined,
            onResponseStart: (_, status) => (seen.status = status),
            onResponseData: (_, chunk) => (seen.text += chunk.toString()),
            onResponseEnd: () => {
              resolve(seen);
            },
            onResponseError: (_, error) => {
              reject(error);
            },
          },
        );
      }),
    'dispatcher.stream': async (dispatcher, path) => {
      const { Writable } = await import('node:stream');
      const seen = { status: 0, text: '' };
      await dispatcher.stream({ origin: 'http://user-service', path, method: 'GET' }, ({ statusCode }) => {
        seen.status = statusCode;
        return new Writable({
          write(chunk: Buffer, _, done) {
            seen.text += chunk.toString();
            done();
          },
        });
      });
      return seen;
    },
  };

  test.each(Object.keys(doors))(
    '%s: answers, spreads, keeps status and body, releases the load',
    async (door) => {
      const servers = [await upstream('a'), await upstream('b', 404)];
      const of = mesh(servers);
      const seen: { status: number; text: string }[] = [];
      for (let i = 0; i < 4; i++)
        seen.push((await doors[door]?.(of.dispatcher, `/users?page=${i}`)) ?? { status: 0, text: '' });
      expect(servers.map(({ hits }) => hits)).toEqual([2, 2]);
      expect(seen.map(({ status }) => status).sort()).toEqual([200, 200, 404, 404]);
      for (const [i, { text }] of seen.entries())
        expect(JSON.parse(text)).toMatchObject({ path: `/users?page=${i}` });
      await idle(of);
      expect(row(of, 'b')).toMatchObject({ state: 'closed', failureCount: 0 });
    },
  );

  // Not through the global fetch: it belongs to another realm here and does not know a test's Error for one.
  test.each(['undici.request', 'undici.fetch', 'dispatcher.dispatch'])(
    '%s: no instance is an error with its code',
    async (door) => {
      const of = mesh([]);
      const error = await caught(doors[door]?.(of.dispatcher, '/') ?? Promise.resolve());
      const own = isNoInstanceError(error) ? error : error.cause;
      expect(isNoInstanceError(own)).toBe(true);
      expect(own).toMatchObject({ service: 'user-service', retryAfterMs: 1000 });
      expect(Object.keys(of.pools.getSnapshot())).toEqual([]);
    },
  );

  test('a fixed origin passes untouched', async () => {
    const server = await upstream('a');
    const of = mesh([]);
    const { statusCode, body } = await request(`http://127.0.0.1:${server.port}/`, {
      dispatcher: of.dispatcher,
    });
    await body.dump();
    expect(statusCode).toBe(200);
  });
});

describe('headers', () => {
  test('host is the instance; the trace is continued by a child span for each attempt', async () => {
    const seen: Record<string, string | string[] | undefined>[] = [];
    const server = await new Upstream('a', (incoming, response) => {
      seen.push(incoming.headers);
      response.writeHead(seen.length === 1 ? 503 : 200).end();
    }).listen();
    cleanup.push(() => server.kill());
    const of = mesh([server]);
    const dispatcher = of.dispatcher.compose(retry({ baseDelayMs: 1 }));
    const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const headers = { Traceparent: parent, 'X-Request-ID': 'mine', accept: 'text/plain' };
    await (await request('http://user-service/', { dispatcher, headers })).body.dump();
    expect(seen).toHaveLength(2);
    for (const each of seen) {
      expect(each).toMatchObject({
        host: `127.0.0.1:${server.port}`,
        accept: 'text/plain',
        'x-request-id': 'mine',
      });
      expect(each['x-trace-id']).toBe(parent.slice(3, 35));
      expect(each['traceparent']).toBe(`00-${parent.slice(3, 35)}-${String(each['x-span-id'])}-01`);
    }
    expect(seen[0]?.['x-span-id']).not.toBe(seen[1]?.['x-span-id']);
    expect(seen[0]?.['x-parent-span-id']).toBe(seen[1]?.['x-parent-span-id']);
  });
});

describe('outcome', () => {
  test('5xx opens the circuit of that instance alone', async () => {
    const of = mesh([await upstream('good'), await upstream('bad', 500)]);
    for (let i = 0; i < 12; i++)
      await (await request('http://user-service/', { dispatcher: of.dispatcher })).body.dump();
    expect(row(of, 'bad')).toMatchObject({ state: 'open', picks: 3 });
    expect(row(of, 'good')).toMatchObject({ state: 'closed', picks: 9 });
  });

  test('the outcome is settled at the head, the load at the end of the body', async () => {
    let finish: (() => void) | undefined;
    const server = await new Upstream('a', (_, response) => {
      response.writeHead(500).write('first');
      finish = () => response.end('last');
    }).listen();
    cleanup.push(() => server.kill());
    const of = mesh([server]);
    const { body } = await request('http://user-service/', { dispatcher: of.dispatcher });
    expect(row(of, 'a')).toMatchObject({ failureCount: 1, inflight: 1 });
    finish?.();
    expect(await body.text()).toBe('firstlast');
    expect(row(of, 'a')).toMatchObject({ failureCount: 1, inflight: 0 });
  });

  test('early hints are passed on and are no outcome', async () => {
    const server = await new Upstream('a', (_, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.writeHead(500).end();
    }).listen();
    cleanup.push(() => server.kill());
    const of = mesh([server]);
    const hints: number[] = [];
    const { statusCode, body } = await request('http://user-service/', {
      dispatcher: of.dispatcher,
      onInfo: ({ statusCode }) => hints.push(statusCode),
    });
    await body.dump();
    expect([hints, statusCode]).toEqual([[103], 500]);
    expect(row(of, 'a')).toMatchObject({ failureCount: 1 });
  });

  test('an abort by the caller reaches the instance and blames nobody', async () => {
    let closed = false;
    const server = await new Upstream('a', (incoming) => {
      incoming.on('close', () => (closed = true));
    }).listen();
    cleanup.push(() => server.kill());
    const of = mesh([server]);
    const abort = new AbortController();
    const call = caught(request('http://user-service/', { dispatcher: of.dispatcher, signal: abort.signal }));
    await eventually(() => server.hits === 1, 'a request');
    abort.abort(new Error('enough'));
    expect((await call).message).toBe('enough');
    await eventually(() => closed, 'closed upstream');
    expect(row(of, 'a')).toMatchObject({ failureCount: 0, inflight: 0, state: 'closed' });
  });

  test("a caller's AbortSignal.timeout() is a failure: the answer was still wanted", async () => {
    const server = await new Upstream('a', () => undefined).listen();
    cleanup.push(() => server.kill());
    const of = mesh([server]);
    const signal = AbortSignal.timeout(50);
    const error = await caught(request('http://user-service/', { dispatcher: of.dispatcher, signal }));
    expect(error.name).toBe('TimeoutError');
    expect(row(of, 'a')).toMatchObject({ failureCount: 1, inflight: 0 });
  });

  test("a refused connection is the instance's failure and an UpstreamError", async () => {
    const server = await upstream('a');
    const of = mesh([server]);
    await server.kill();
    const error = await caught(request('http://user-service/', { dispatcher: of.dispatcher }));
    expect(isUpstreamError(error)).toBe(true);
    expect(error).toMatchObject({ service: 'user-service', instance: 'a', cause: { code: 'ECONNREFUSED' } });
    expect(row(of, 'a')).toMatchObject({ failureCount: 1, inflight: 0 });
  });

  test("an answer that is not HTTP is the instance's failure", async () => {
    const server = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('SSH-2.0-OpenSSH\r\n'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanup.push(() => new Promise((resolve) => server.close(resolve)));
    const of = mesh([]);
    of.discovery.set([{ id: 'a', host: '127.0.0.1', port: (server.address() as AddressInfo).port }]);
    expect(
      isUpstreamError(await caught(request('http://user-service/', { dispatcher: of.dispatcher }))),
    ).toBe(true);
    expect(row(of, 'a')).toMatchObject({ failureCount: 1, inflight: 0 });
  });

  test('silence ends the attempt after its limit, also while a connection is waited for', async () => {
    const hung = await new Upstream('a', () => undefined).listen();
    cleanup.push(() => hung.kill());
    const of = mesh([hung], { attemptTimeoutMs: 40 });
    const error = await caught(request('http://user-service/', { dispatcher: of.dispatcher }));
    expect(isTimeoutError(error)).toBe(true);
    expect(error).toMatchObject({ timeoutMs: 40, instance: 'a' });
    expect(row(of, 'a')).toMatchObject({ failureCount: 1, inflight: 0 });

    const discovery = new StaticDiscovery([hung.instance]);
    const pools = new ServicePools();
    const agent = new Agent({ connections: 1 });
    cleanup.push(() => agent.destroy());
    const dispatcher = agent.compose(services(discovery, { pools, attemptTimeoutMs: 40 }));
    const calls = [1, 2].map(() => caught(request('http://user-service/', { dispatcher })));
    expect((await Promise.all(calls)).every(isTimeoutError)).toBe(true);
    expect(hung.hits).toBe(2);
    await eventually(
      () => pools.getSnapshot()['user-service']?.instances[0]?.inflight === 0,
      'load back at 0',
    );
  });

  test('an upload that keeps moving is not cut off by the limit for silence', async () => {
    const server = await upstream('a');
    const of = mesh([server], { attemptTimeoutMs: 120 });
    async function* slowly(): AsyncGenerator<Buffer> {
      for (let i = 0; i < 6; i++) {
        await new Promise((resolve) => setTimeout(resolve, 40));
        yield Buffer.from('x');
      }
    }
    const { Readable } = await import('node:stream');
    const { statusCode, body } = await request('http://user-service/', {
      ...{ dispatcher: of.dispatcher, method: 'POST' },
      body: Readable.from(slowly()),
    });
    await body.dump();
    expect(statusCode).toBe(200);
  });

  test('a body of the caller that breaks off blames nobody', async () => {
    const server = await new Upstream('a', () => undefined).listen();
    cleanup.push(() => server.kill());
    const of = mesh([server]);
    const { Readable } = await import('node:stream');
    const aborted = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    const body = new Readable({ read: () => undefined });
    body.push('first');
    const call = caught(request('http://user-service/', { dispatcher: of.dispatcher, method: 'POST', body }));
    await eventually(() => server.hits === 1, 'a request');
    body.destroy(aborted);
    expect(await call).toBe(aborted);
    expect(row(of, 'a')).toMatchObject({ failureCount: 0, inflight: 0 });
  });

  test('a body that is cut short is an error, releases the load, and is not a second verdict', async () => {
    const server = await new Upstream('a', (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('short');
      setTimeout(() => response.destroy(), 5);
    }).listen();
    cleanup.push(() => server.kill());
    const of = mesh([server]);
    const { body } = await request('http://user-service/', { dispatcher: of.dispatcher });
    expect(isUpstreamError(await caught(body.text()))).toBe(true);
    expect(row(of, 'a')).toMatchObject({ failureCount: 0, inflight: 0, state: 'closed' });
  });

  test.each([204, 304])('%d with a Content-Length passes', async (status) => {
    const of = mesh([await upstream('a', status, { 'content-length': '36', etag: '"1"' })]);
    const { statusCode, headers, body } = await request('http://user-service/', {
      dispatcher: of.dispatcher,
    });
    expect([statusCode, headers['etag'], await body.text()]).toEqual([status, '"1"', '']);
    await idle(of);
  });

  test('HEAD works', async () => {
    const of = mesh([await upstream('a', 200, { 'content-length': '36' })]);
    const { statusCode, body } = await request('http://user-service/', {
      dispatcher: of.dispatcher,
      method: 'HEAD',
    });
    expect([statusCode, await body.text()]).toEqual([200, '']);
    await idle(of);
  });

  test('a tunnel counts as load until its socket is closed', async () => {
    const server = await upstream('a');
    server.server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    const of = mesh([server]);
    const options = { path: '/', origin: 'http://user-service', protocol: 'echo' };
    const { socket } = await of.dispatcher.upgrade(options);
    socket.write('hello');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    expect(echo.toString()).toBe('hello');
    expect(row(of, 'a')).toMatchObject({ inflight: 1 });
    socket.destroy();
    await idle(of);
  });

  test("a request that undici refuses is the caller's fault", async () => {
    const of = mesh([await upstream('a')]);
    const error = await caught(
      request('http://user-service/', { dispatcher: of.dispatcher, method: 'BAD METHOD' }),
    );
    expect(error.code).toBe('UND_ERR_INVALID_ARG');
    expect(row(of, 'a')).toMatchObject({ failureCount: 0, inflight: 0 });
  });
});

describe('look-up', () => {
  test('an unknown service is resolved once asked, a known one is only peeked at', async () => {
    const server = await upstream('a');
    const of = mesh([server]);
    let known = false;
    const peek = of.discovery.peek.bind(of.discovery);
    of.discovery.peek = (name) => (known ? peek(name) : undefined);
    await (await request('http://user-service/', { dispatcher: of.dispatcher })).body.dump();
    known = true;
    await (await request('http://user-service/', { dispatcher: of.dispatcher })).body.dump();
    expect([of.discovery.lookups, server.hits]).toEqual([1, 2]);
  });

  test("its failure is the call's error", async () => {
    const of = mesh([]);
    const down = Object.assign(new Error('registry is down'), { code: 'ERR_DISCOVERY_UNAVAILABLE' });
    of.discovery.peek = () => undefined;
    of.discovery.resolve = () => Promise.reject(down);
    expect(await caught(request('http://user-service/', { dispatcher: of.dispatcher }))).toBe(down);
  });

  test("it is told when the attempt's limit is over", async () => {
    const of = mesh([], { attemptTimeoutMs: 20 });
    of.discovery.peek = () => undefined;
    of.discovery.resolve = (_: string, options?: { signal?: AbortSignal }) =>
      new Promise<never>((_, reject) => {
        options?.signal?.addEventListener('abort', () => {
          reject(new Error('gave up'));
        });
      });
    expect((await caught(request('http://user-service/', { dispatcher: of.dispatcher }))).message).toBe(
      'gave up',
    );
  });

  test('new instances are used and gone ones are not', async () => {
    const [a, b] = [await upstream('a'), await upstream('b')];
    const of = mesh([a]);
    const ask = async (): Promise<string | undefined> => {
      const context = createCallContext();
      const options = { origin: 'http://user-service', path: '/', method: 'GET', [callContext]: context };
      await (await of.dispatcher.request(options)).body.dump();
      return context.instance;
    };
    expect(await ask()).toBe('a');
    of.discovery.set([b.instance]);
    expect(await ask()).toBe('b');
  });
});

test('options out of range are refused by name', () => {
  const discovery = new StaticDiscovery();
  expect(() => services(discovery, { attemptTimeoutMs: -1 })).toThrow(
    new RangeError('serviceClient: attemptTimeoutMs must be a number from 0 to 2147483647, got -1'),
  );
  expect(() => services(discovery, { bodyTimeoutMs: NaN })).toThrow('bodyTimeoutMs');
  expect(() => services(discovery, { maxServices: 0 })).toThrow(RangeError);
  const context = createCallContext();
  expect(() => createCallContext({ timeoutMs: 2 ** 31 })).toThrow('timeoutMs');
  const call = {
    origin: 'http://a',
    path: '/',
    method: 'GET',
    headersTimeout: 2 ** 31,
    [callContext]: context,
  };
  discovery.set([{ id: 'a', host: '127.0.0.1', port: 1 }], 'a');
  const dispatch = services(discovery)(() => true);
  expect(() => dispatch(call as Dispatcher.DispatchOptions, {})).toThrow('headersTimeout');
  expect(context.attempts).toBe(0);
});
