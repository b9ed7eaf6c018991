import { afterEach, describe, expect, test } from '@jest/globals';
import { startTrace } from '@mesh/trace-context';
import { Readable } from 'node:stream';
import type { RequestListener } from 'node:http';
import { StaticDiscovery, Upstream, answer, eventually } from './testing/upstream.ts';
import { isNoInstanceError, isTimeoutError, isUpstreamError, type UpstreamError } from './errors.ts';
import { ServiceClient, createServiceClient, type ServiceClientOptions } from './service-client.ts';
import type { InstanceSnapshot } from './service-pool.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function upstream(id: string, listener: number | RequestListener = 200): Promise<Upstream> {
  const server = await new Upstream(
    id,
    typeof listener === 'number' ? answer(listener, id) : listener,
  ).listen();
  cleanup.push(() => server.kill());
  return server;
}

function clientOf(
  upstreams: readonly Upstream[],
  options: Partial<ServiceClientOptions> = {},
): ServiceClient {
  const discovery = new StaticDiscovery(upstreams.map(({ instance }) => instance));
  const client = createServiceClient({ discovery, ...options, retry: { baseDelayMs: 4, ...options.retry } });
  cleanup.push(() => client.close(0));
  return client;
}

const instances = (client: ServiceClient): readonly InstanceSnapshot[] =>
  client.getSnapshot().services['user-service']?.instances ?? [];

const row = (client: ServiceClient, id: string): InstanceSnapshot | undefined =>
  instances(client).find((instance) => instance.id === id);

const idle = (client: ServiceClient): Promise<void> =>
  eventually(() => instances(client).every(({ inflight }) => inflight === 0), 'every load back at 0');

async function caught<E = Error>(promise: Promise<unknown>): Promise<E> {
  try {
    await promise;
  } catch (error) {
    return error as E;
  }
  throw new Error('it did not fail');
}

const users = { service: 'user-service', path: '/users' };
const hang: RequestListener = () => undefined;

describe('survival', () => {
  test('one of two always 503: every idempotent call is good, and the circuit of the bad one opens', async () => {
    const [good, bad] = [await upstream('good'), await upstream('bad', 503)];
    const client = clientOf([good, bad], { strategy: 'random' });
    for (let i = 0; i < 60; i++) expect((await client.json(users)).instance).toBe('good');
    expect([row(client, 'bad')?.state, bad.hits]).toEqual(['open', 3]);
    expect(client.getSnapshot().totals).toMatchObject({ requests: 60, succeeded: 60, failed: 0, retries: 3 });
  });

  test('by default the bad one is avoided before its circuit has to open', async () => {
    const [good, bad] = [await upstream('good'), await upstream('bad', 503)];
    const client = clientOf([good, bad]);
    for (let i = 0; i < 60; i++) expect((await client.json(users)).instance).toBe('good');
    expect(bad.hits).toBeLessThanOrEqual(3);
  });

  test('an instance that asks to be left alone by a 503 with Retry-After is, whatever the strategy', async () => {
    const [good, full] = [await upstream('good'), await upstream('full')];
    full.listener = (_, response) => response.writeHead(503, { 'retry-after': '60' }).end();
    const client = clientOf([good, full], { strategy: 'round-robin' });
    for (let i = 0; i < 20; i++) expect((await client.json(users)).instance).toBe('good');
    expect(full.hits).toBe(1);
  });

  test('a 429 is about one caller: the instance goes on serving the others', async () => {
    const [one, two] = [await upstream('one', 429), await upstream('two', 429)];
    const client = clientOf([one, two], { strategy: 'round-robin' });
    for (let i = 0; i < 10; i++) await (await client.request(users)).dump();
    expect([one.hits, two.hits]).toEqual([5, 5]);
  });

  test('a key goes to the same instance under a hashing strategy, a preferred instance under any', async () => {
    const servers = [await upstream('a'), await upstream('b'), await upstream('c')];
    const hashing = clientOf(servers, { strategy: 'maglev' });
    const asked = new Set<string>();
    for (let i = 0; i < 10; i++) asked.add((await hashing.json({ ...users, key: 'user-7' })).instance);
    expect(asked.size).toBe(1);
    const sticky = clientOf(servers);
    for (let i = 0; i < 10; i++) expect((await sticky.json({ ...users, prefer: 'b' })).instance).toBe('b');
  });

  test('balancing options reach the balancer: a filter', async () => {
    const [near, far, old] = [await upstream('near'), await upstream('far'), await upstream('old')];
    const client = clientOf([near, far, old], {
      balancing: { filter: ({ id }) => id !== 'old' },
      strategy: 'round-robin',
    });
    for (let i = 0; i < 10; i++) await client.json(users);
    expect([near.hits, far.hits, old.hits]).toEqual([5, 5, 0]);
  });

  test('a server killed under load: no GET fails', async () => {
    const servers = [await upstream('a'), await upstream('b'), await upstream('c')];
    for (const server of servers) {
      server.listener = (request, response) => {
        setTimeout(() => {
          answer(200, server.id)(request, response);
        }, 2);
      };
    }
    const client = clientOf(servers);
    let calls = 0;
    const worker = async (): Promise<void> => {
      while (calls < 400) {
        calls += 1;
        if (calls === 150) void servers[1]?.kill();
        expect((await client.json(users)).status).toBe(200);
      }
    };
    await Promise.all(Array.from({ length: 12 }, worker));
    expect(servers[1]?.hits).toBeGreaterThan(0);
    expect(row(client, 'b')?.state).toBe('open');
    expect(client.getSnapshot().totals).toMatchObject({ requests: 400, succeeded: 400, failed: 0 });
    await idle(client);
  });

  test('a POST that meets a 503 hits exactly once and is passed on', async () => {
    const server = await upstream('a', 503);
    const client = clientOf([server, await upstream('b', 503)]);
    const response = await client.request({ ...users, method: 'POST', body: { name: 'Ada' } });
    await response.dump();
    expect([response.status, response.attempts]).toEqual([503, 1]);
    expect(instances(client).reduce((sum, { picks }) => sum + picks, 0)).toBe(1);
  });

  test('a POST refused before it was sent goes to the other instance, also through fetch', async () => {
    const [dead, alive] = [await upstream('dead'), await upstream('alive')];
    const client = clientOf([dead, alive], { strategy: 'round-robin' });
    await dead.kill();
    for (let i = 0; i < 2; i++) {
      const { instance } = await client.json({ ...users, method: 'POST', body: { name: 'Ada' } });
      expect(instance).toBe('alive');
    }
    const response = await client.fetch('http://user-service/users', { method: 'POST', body: 'text' });
    expect([response.status, alive.hits]).toEqual([200, 3]);
    await response.text();
    expect(row(client, 'dead')?.failureCount).toBeGreaterThan(0);
  });

  test('all circuits open: calls are made all the same', async () => {
    const servers = [await upstream('a', 500), await upstream('b', 500)];
    const client = clientOf(servers);
    for (let i = 0; i < 12; i++) await caught(client.json(users));
    expect(instances(client).map(({ state }) => state)).toEqual(['open', 'open']);
    for (const server of servers) server.listener = answer(200, server.id);
    expect((await client.json(users)).status).toBe(200);
  });

  test('a single instance is retried on itself', async () => {
    const server = await upstream('only', 503);
    server.listener = (request, response) => {
      answer(server.hits < 3 ? 503 : 200, 'only')(request, response);
    };
    const { attempts, instance } = await clientOf([server]).json(users);
    expect([attempts, instance]).toEqual([3, 'only']);
  });

  test('a hung instance costs one attempt, and the next instance answers', async () => {
    const [hung, good] = [await upstream('hung', hang), await upstream('good')];
    const client = clientOf([hung, good], { strategy: 'round-robin', attemptTimeoutMs: 60 });
    const answers = [await client.json(users), await client.json(users)];
    expect(answers.map(({ instance }) => instance)).toEqual(['good', 'good']);
    const hangs = answers.reduce((sum, { attempts }) => sum + attempts - 1, 0);
    expect(hangs).toBeGreaterThan(0);
    expect(row(client, 'hung')).toMatchObject({ failureCount: hangs, inflight: 0 });
  });

  test('when all hang the call ends with ERR_TIMEOUT after its attempts', async () => {
    const client = clientOf([await upstream('hung', hang)], {
      attemptTimeoutMs: 30,
      retry: { maxRetries: 1 },
    });
    expect(isTimeoutError(await caught(client.json(users)))).toBe(true);
    expect(client.getSnapshot().totals).toMatchObject({ failed: 1, retries: 1 });
  });

  test('Retry-After of the only instance is waited out', async () => {
    const server = await upstream('only');
    server.listener = (request, response) => {
      answer(server.hits === 1 ? 503 : 200, 'only', { 'retry-after': '3' })(request, response);
    };
    const delays: number[] = [];
    const timers = {
      set: (callback: () => void, delayMs: number) => {
        delays.push(delayMs);
        return setTimeout(callback, 0);
      },
      clear: (timer: unknown) => {
        clearTimeout(timer as NodeJS.Timeout | undefined);
      },
    };
    const { attempts } = await clientOf([server], { retry: { timers } }).json({ ...users, timeoutMs: 0 });
    // The others are ticks of the wheel that keeps the limits of attempts.
    expect([attempts, delays.filter((delayMs) => delayMs > 50)]).toEqual([2, [3000]]);
  });

  test('the budget bounds what retries add', async () => {
    const servers = [await upstream('a', 503), await upstream('b', 503)];
    const retry = { minRetriesPerSecond: 1, budgetRatio: 0.2, baseDelayMs: 0 };
    const circuitBreaker = { maximumFailuresAllowed: 10_000 };
    const client = clientOf(servers, { retry, circuitBreaker });
    const start = performance.now();
    for (let i = 0; i < 200; i++) await caught(client.json(users));
    const seconds = (performance.now() - start) / 1000;
    const hits = servers.reduce((sum, server) => sum + server.hits, 0);
    expect(hits).toBeGreaterThan(230);
    expect(hits).toBeLessThanOrEqual(200 + 0.2 * 200 + 10 + seconds);
  });
});

describe('deadline and abort', () => {
  test('timeoutMs bounds all attempts together', async () => {
    const client = clientOf([await upstream('a', hang), await upstream('b', hang)], { attemptTimeoutMs: 50 });
    const error = await caught(client.request({ ...users, timeoutMs: 80 }));
    expect(isTimeoutError(error)).toBe(true);
    expect(error).toMatchObject({ timeoutMs: 80 });
    await idle(client);
  });

  test('timeoutMs ends a body that never ends', async () => {
    const drip = await upstream('a', (_, response) => {
      response.writeHead(200).write('x');
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => {
        clearInterval(timer);
      });
    });
    const client = clientOf([drip]);
    const response = await client.request({ ...users, timeoutMs: 60 });
    expect(isTimeoutError(await caught(response.text()))).toBe(true);
    await idle(client);
  });

  test('silence in the middle of a body ends it', async () => {
    const client = clientOf(
      [
        await upstream('a', (_, response) => {
          response.writeHead(200).write('x');
        }),
      ],
      { bodyTimeoutMs: 50 },
    );
    const response = await client.request(users);
    expect(isTimeoutError(await caught(response.text()))).toBe(true);
    await idle(client);
  });

  test('an abort during back-off ends the call at once', async () => {
    const server = await upstream('a', 503);
    const client = clientOf([server], {
      retry: { baseDelayMs: 20_000, maxDelayMs: 20_000, random: () => 0.9 },
    });
    const abort = new AbortController();
    const call = caught(client.request({ ...users, signal: abort.signal }));
    await eventually(() => server.hits === 1, 'the first attempt');
    await eventually(() => row(client, 'a')?.inflight === 0, 'back-off');
    abort.abort(new Error('enough'));
    expect((await call).message).toBe('enough');
    expect(server.hits).toBe(1);
    expect(client.getSnapshot().totals).toMatchObject({ requests: 1, aborted: 1, failed: 0, succeeded: 0 });
  });

  test('an abort during the look-up ends the call at once', async () => {
    const discovery = { peek: () => undefined, resolve: () => new Promise<never>(() => undefined) };
    const client = createServiceClient({ discovery });
    cleanup.push(() => client.close(0));
    const abort = new AbortController();
    const call = caught(client.request({ ...users, signal: abort.signal }));
    abort.abort(new Error('enough'));
    expect((await call).message).toBe('enough');
    expect(isTimeoutError(await caught(client.request({ ...users, timeoutMs: 10 })))).toBe(true);
  });

  test.each(['request', 'fetch'] as const)(
    'an abort of %s reaches the instance and blames nobody',
    async (door) => {
      let closed = 0;
      const server = await upstream('a', (request) => {
        request.on('close', () => (closed += 1));
      });
      const client = clientOf([server]);
      const abort = new AbortController();
      const { signal } = abort;
      const call =
        door === 'fetch'
          ? client.fetch('http://user-service/', { signal })
          : client.request({ ...users, signal });
      const error = caught(call);
      await eventually(() => server.hits === 1, 'a request');
      abort.abort();
      expect((await error).name).toBe('AbortError');
      await eventually(() => closed === 1, 'closed upstream');
      expect(row(client, 'a')).toMatchObject({ failureCount: 0, inflight: 0 });
    },
  );

  test('a deadline that ends during the look-up blames no instance', async () => {
    const server = await upstream('a');
    let found = (): void => undefined;
    const lookup = new Promise<void>((resolve) => (found = resolve));
    const resolution = { instances: [server.instance] };
    const discovery = { peek: () => undefined, resolve: () => lookup.then(() => resolution) };
    const client = createServiceClient({ discovery });
    cleanup.push(() => client.close(0));
    expect(isTimeoutError(await caught(client.request({ ...users, timeoutMs: 20 })))).toBe(true);
    found();
    await lookup;
    await new Promise(setImmediate);
    expect([row(client, 'a'), server.hits]).toEqual([undefined, 0]);
  });

  test('a refused CONNECT is one failed call, is passed on, and takes nothing from the budget', async () => {
    const server = await upstream('a');
    server.server.on('connect', (_, socket) => socket.end('HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n'));
    const client = clientOf([server]);
    const options = { origin: 'http://user-service', path: '/', headers: { 'idempotency-key': 'k' } };
    const { statusCode, socket } = await client.dispatcher.connect(options);
    socket.destroy();
    expect(statusCode).toBe(503);
    expect(client.getSnapshot().totals).toMatchObject({ requests: 1, failed: 1, retries: 0 });
    expect(row(client, 'a')?.failureCount).toBe(1);
  });

  test('a signal that is aborted already asks nobody', async () => {
    const server = await upstream('a');
    await caught(clientOf([server]).request({ ...users, signal: AbortSignal.abort() }));
    expect(server.hits).toBe(0);
  });
});

describe('request and json', () => {
  test('status, headers, instance, attempts and body', async () => {
    const client = clientOf([await upstream('a', answer(404, 'a', { 'x-own': 'yes' }))]);
    const response = await client.request({ ...users, query: { page: 2, tag: ['x', 'y'] } });
    expect(response).toMatchObject({ status: 404, instance: 'a', attempts: 1, headers: { 'x-own': 'yes' } });
    expect(await response.json()).toEqual({ instance: 'a', path: '/users?page=2&tag=x&tag=y' });
  });

  test.each([
    ['an object', { name: 'Ada' }, 'application/json', '{"name":"Ada"}'],
    ['an array', [1], 'application/json', '[1]'],
    ['text', 'hello', undefined, 'hello'],
    ['bytes', Buffer.from('bytes'), undefined, 'bytes'],
    ['a stream', Readable.from([Buffer.from('stream')]), undefined, 'stream'],
  ])('sends %s', async (_, body, type, text) => {
    const seen: { type?: string | undefined; text: string } = { text: '' };
    const server = await upstream('a', (request, response) => {
      seen.type = request.headers['content-type'];
      request.on('data', (chunk: Buffer) => (seen.text += chunk.toString()));
      request.on('end', () => response.end());
    });
    await (await clientOf([server]).request({ ...users, method: 'PUT', body })).dump();
    expect(seen).toEqual({ type, text });
  });

  test('a given content type is kept; json() asks for JSON unless told otherwise', async () => {
    const seen: (string | undefined)[] = [];
    const server = await upstream('a', (request, response) => {
      request.resume();
      seen.push(request.headers['content-type'], request.headers.accept);
      response.end('{}');
    });
    const client = clientOf([server]);
    await client.json({
      ...users,
      method: 'PUT',
      headers: { 'Content-Type': 'application/merge-patch+json' },
      body: {},
    });
    await client.json({ ...users, headers: { Accept: 'application/problem+json' } });
    expect(seen).toEqual([
      'application/merge-patch+json',
      'application/json',
      undefined,
      'application/problem+json',
    ]);
  });

  test('a byte order mark is no part of the text, with and without a Content-Length', async () => {
    const text = '\uFEFF{"a":1}';
    const server = await upstream('a', (request, response) => {
      if (request.url === '/chunked') response.write(text);
      response.end(request.url === '/chunked' ? '' : text);
    });
    const client = clientOf([server]);
    for (const path of ['/chunked', '/length']) {
      expect((await client.json({ service: 'user-service', path })).data).toEqual({ a: 1 });
    }
  });

  test("the trace of the call is its attempts' parent", async () => {
    const seen: (string | string[] | undefined)[] = [];
    const server = await upstream('a', (request, response) => {
      seen.push(
        request.headers['x-trace-id'],
        request.headers['x-parent-span-id'],
        request.headers['x-request-id'],
      );
      response.end('{}');
    });
    const trace = startTrace();
    await clientOf([server]).json({ ...users, trace });
    expect(seen).toEqual([trace.traceId, trace.spanId, trace.requestId]);
  });

  test('an answer of 400 and above is an UpstreamError with its problem', async () => {
    const problem = {
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'email is taken',
      code: 'ERR_CONFLICT',
    };
    const server = await upstream('a', (_, response) => {
      response.writeHead(409, { 'content-type': 'application/problem+json', 'retry-after': '2' });
      response.end(JSON.stringify(problem));
    });
    const client = clientOf([server]);
    const error = await caught<UpstreamError>(client.json(users));
    expect(isUpstreamError(error)).toBe(true);
    expect(error).toMatchObject({
      status: 409,
      problem,
      retryAfterMs: 2000,
      instance: 'a',
      service: 'user-service',
    });
    expect(error.message).toBe('user-service (a): answered 409: email is taken');
    expect(client.getSnapshot().totals).toMatchObject({ succeeded: 1, failed: 0 });
    expect(row(client, 'a')).toMatchObject({ failureCount: 0 });
  });

  test('an error page that is not JSON is an error all the same', async () => {
    const server = await upstream('a', (_, response) => response.writeHead(500).end('<h1>Oops</h1>'));
    const error = await caught<UpstreamError>(clientOf([server]).json(users));
    expect([error.status, error.problem]).toEqual([500, undefined]);
  });

  test('an empty body is undefined, a broken one is a bad answer', async () => {
    const server = await upstream('a', (request, response) => {
      if (request.url === '/empty') response.writeHead(204).end();
      else response.end('{"half":');
    });
    const client = clientOf([server]);
    expect(await client.json({ ...users, path: '/empty' })).toMatchObject({ status: 204, data: undefined });
    const error = await caught(client.json(users));
    expect(isUpstreamError(error)).toBe(true);
    expect((error.cause as Error).name).toBe('SyntaxError');
  });

  test('a body beyond the limit is not held in memory', async () => {
    const server = await upstream('a', (_, response) => {
      for (let i = 0; i < 100; i++) response.write('x'.repeat(1000));
      response.end();
    });
    const client = clientOf([server], { maxBodyBytes: 5000 });
    const error = await caught(client.json(users));
    expect(error.message).toContain('longer than 5000 bytes');
    server.listener = (_, response) => {
      const text = JSON.stringify('x'.repeat(6000));
      response.writeHead(200, { 'content-length': text.length }).end(text);
    };
    expect(isUpstreamError(await caught(client.json(users)))).toBe(true);
    server.listener = (_, response) => {
      response.writeHead(200, { 'content-length': '7' }).end('"short"');
    };
    expect((await client.json(users)).data).toBe('short');
    await idle(client);
  });

  test.each(['localhost', 'example.com', '127.0.0.1:22', 'a/../b', '', 'user@host'])(
    'service %j cannot lead out of the mesh',
    async (service) => {
      expect(isNoInstanceError(await caught(clientOf([]).request({ service, path: '/' })))).toBe(true);
    },
  );

  test('a path must begin with a slash', async () => {
    const client = clientOf([]);
    for (const path of ['', 'users', 'http://example.com/']) {
      expect((await caught(client.request({ service: 'user-service', path }))).message).toContain(
        "path must begin with '/'",
      );
    }
    expect(await caught(client.request({ ...users, timeoutMs: -1 }))).toBeInstanceOf(RangeError);
  });

  test('no instance is an error that says when to come back', async () => {
    const error = await caught(clientOf([]).json(users));
    expect(isNoInstanceError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'ERR_NO_INSTANCE', service: 'user-service', retryAfterMs: 1000 });
  });
});

describe('the handlers of older undicis', () => {
  test('get their own callbacks', async () => {
    const client = clientOf([await upstream('a')]);
    const seen: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const handler = {
        onConnect: () => seen.push('connect'),
        onHeaders: (status: number, raw: Buffer[]) => {
          seen.push(`${status} ${Array.isArray(raw) && raw.length > 0}`);
          return true;
        },
        onData: () => true,
        onComplete: () => {
          resolve();
        },
        onError: reject,
      };
      client.dispatcher.dispatch(
        { origin: 'http://user-service', path: '/', method: 'GET' },
        handler as never,
      );
    });
    expect(seen).toEqual(['connect', '200 true']);
  });
});

describe('what stays behind', () => {
  test('nothing, after any mix of outcomes', async () => {
    // A linear congruential generator: random schedules that a failure can name by their seed.
    for (const seed of [1, 2, 3]) {
      let state = seed;
      const random = (): number => {
        state = (state * 48_271) % 2_147_483_647;
        return state / 2_147_483_647;
      };
      const behave =
        (id: string): RequestListener =>
        (request, response) => {
          const dice = random();
          request.resume();
          if (dice < 0.35) answer(200, id)(request, response);
          else if (dice < 0.5) answer(503, id)(request, response);
          else if (dice < 0.6) answer(500, id)(request, response);
          else if (dice < 0.7) request.socket.destroy();
          else if (dice < 0.8)
            setTimeout(() => response.writeHead(200, { 'content-length': '50' }).write('short'), 1).unref();
          else if (dice < 0.85) response.writeHead(200).write('never ends');
          else if (dice < 0.9) response.writeHead(304, { 'content-length': '36' }).end();
          else if (dice < 0.95) setTimeout(() => response.end('late'), 15);
          // else: silence
        };
      const servers = [
        await upstream('a', behave('a')),
        await upstream('b', behave('b')),
        await upstream('c', behave('c')),
      ];
      const client = clientOf(servers, {
        attemptTimeoutMs: 30,
        timeoutMs: 120,
        retry: { baseDelayMs: 3, random },
      });
      const call = async (): Promise<void> => {
        const dice = random();
        const method = ['GET', 'PUT', 'POST', 'HEAD'][Math.floor(random() * 4)] ?? 'GET';
        const signal = dice < 0.3 ? AbortSignal.timeout(Math.ceil(random() * 30)) : undefined;
        try {
          if (dice > 0.8) {
            const response = await client.fetch('http://user-service/', {
              method,
              signal: AbortSignal.timeout(60),
            });
            await response.text();
          } else {
            const body = method === 'PUT' || method === 'POST' ? { body: { some: 'body' } } : {};
            const response = await client.request({ ...users, method, ...body, ...(signal && { signal }) });
            await response.text();
          }
        } catch (error) {
          expect(error).toBeDefined();
        }
      };
      await Promise.all(Array.from({ length: 120 }, call));
      await idle(client);
      const { totals } = client.getSnapshot();
      expect(totals.requests).toBe(120);
      expect(totals.succeeded + totals.failed + totals.aborted).toBe(120);
      await client.close(100);
      await eventually(
        () => servers.every(({ sockets }) => sockets.size === 0),
        `no socket left, seed ${seed}`,
      );
    }
  }, 30_000);

  test('connections are reused, also when answers are discarded', async () => {
    const [good, bad] = [await upstream('good'), await upstream('bad', 503)];
    const client = clientOf([good, bad], {
      strategy: 'random',
      circuitBreaker: { maximumFailuresAllowed: 1000 },
    });
    for (let i = 0; i < 50; i++) await client.json(users);
    expect(bad.hits).toBeGreaterThan(5);
    // Two, because a connection rests for one turn of the event loop before undici uses it again.
    expect(Math.max(good.connections, bad.connections)).toBeLessThanOrEqual(2);
  });

  test('no listener stays on a signal that many calls share', async () => {
    const client = clientOf([await upstream('a')]);
    const abort = new AbortController();
    const { signal } = abort;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...parameters: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, parameters);
    };
    signal.removeEventListener = (...parameters: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, parameters);
    };
    for (let i = 0; i < 20; i++) await client.json({ ...users, signal });
    await eventually(() => listeners === 0, 'no listeners');
  });
});

describe('close', () => {
  test('takes no more calls and may be repeated', async () => {
    const client = clientOf([await upstream('a')]);
    await client.json(users);
    await Promise.all([client.close(), client.close()]);
    await client.close();
    expect(await caught(client.json(users))).toMatchObject({ code: 'UND_ERR_DESTROYED' });
  });

  test('waits for a call in flight, and cuts off one that takes too long', async () => {
    const server = await upstream('a', (request, response) => {
      setTimeout(() => {
        answer(200, 'a')(request, response);
      }, 30);
    });
    const patient = clientOf([server]);
    const answered = patient.json(users);
    await eventually(() => server.hits === 1, 'a request');
    await patient.close();
    expect((await answered).status).toBe(200);

    server.listener = hang;
    const strict = clientOf([server], { retry: { maxRetries: 0 } });
    const cut = caught(strict.json(users));
    await eventually(() => server.hits === 2, 'a request');
    await strict.close(20);
    expect(await cut).toBeDefined();
  });

  test('await using closes', async () => {
    const server = await upstream('a');
    {
      await using client = new ServiceClient({ discovery: new StaticDiscovery([server.instance]) });
      await client.json(users);
    }
    await eventually(() => server.sockets.size === 0, 'no connection');
  });
});

test('a snapshot is frozen plain data', async () => {
  const client = clientOf([await upstream('a')]);
  await client.json(users);
  const snapshot = client.getSnapshot();
  expect(
    Object.isFrozen(snapshot) && Object.isFrozen(snapshot.totals) && Object.isFrozen(snapshot.services),
  ).toBe(true);
  expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
  expect(snapshot.services['user-service']?.instances[0]).toMatchObject({
    id: 'a',
    state: 'closed',
    available: true,
    picks: 1,
  });
});

test.each([
  [{ timeoutMs: -1 }, /timeoutMs .* got -1/],
  [{ attemptTimeoutMs: NaN }, /attemptTimeoutMs .* got NaN/],
  [{ connectTimeoutMs: 2 ** 31 }, /connectTimeoutMs/],
  [{ bodyTimeoutMs: -1 }, /bodyTimeoutMs/],
  [{ maxBodyBytes: 0 }, /maxBodyBytes .* got 0/],
  [{ maxConnections: 0.5 }, /maxConnections .* got 0.5/],
  [{ maxServices: 0 }, /maxServices .* got 0/],
  [{ retry: { maxRetries: -1 } }, /retry.maxRetries/],
  [{ circuitBreaker: { successThreshold: 0 } }, /successThreshold/],
  [{ strategy: 'best' as 'random' }, /strategy/],
])('refuses %j', (options, message) => {
  const make = (): unknown => createServiceClient({ discovery: new StaticDiscovery(), ...options });
  expect(make).toThrow(RangeError);
  expect(make).toThrow(message);
});
