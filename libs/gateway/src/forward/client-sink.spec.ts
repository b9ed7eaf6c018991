import { afterEach, describe, expect, test } from '@jest/globals';
import { HttpProblem } from '@mesh/problem';
import Fastify from 'fastify';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnswerSink, Flow, Forward } from '../passage.ts';
import { readTarget } from '../routing/request-target.ts';
import { cleanUp, cleanups, client, get, problemOf, turn, eventually } from '../testing/raw-http.ts';
import { readPace } from './body-pace.ts';
import { ClientSink, type ClientSinkSettings } from './client-sink.ts';
import { ForwardedFields } from './forwarded.ts';
import { RequestBody } from './request-body.ts';
import { RequestPassage } from './request-passage.ts';
import { Tunnels } from './tunnels.ts';
import { Watch } from './watch.ts';

afterEach(cleanUp);

/** Time that passes when the test says so. */
function manualTime() {
  let now = 1_000;
  let round: (() => void) | undefined;
  const watch = new Watch({
    clock: { now: () => now },
    timers: {
      setInterval: (callback) => {
        round = callback;
        return {};
      },
      clearInterval: () => {
        round = undefined;
      },
    },
  });
  const pass = (ms: number): void => {
    now += ms;
    round?.();
  };
  return { watch, pass, isRunning: () => round !== undefined };
}

interface Served {
  readonly sink: AnswerSink;
  /** Why the flow was aborted, and how often it was resumed. */
  readonly aborts: unknown[];
  resumes: number;
  /** What was written to the client's socket, piece by piece. */
  readonly writes: string[];
  readonly ends: string[];
}

/** A server whose answers the test writes itself, through a sink. */
async function serve(settings: Partial<ClientSinkSettings> = {}, before?: (sink: AnswerSink) => void) {
  const time = manualTime();
  const served: Served[] = [];
  const limits: ClientSinkSettings = {
    explain: (error) => error,
    onAnswer: () => undefined,
    watch: time.watch,
    tunnels: new Tunnels(time.watch),
    idleTimeoutMs: 60_000,
    totalTimeoutMs: 0,
    stallTimeoutMs: 60_000,
    ...settings,
  };
  const forward: Forward = (passage, sink): Flow => {
    const one: Served = { sink, aborts: [], resumes: 0, writes: [], ends: [] };
    served.push(one);
    const { socket } = passage.request.raw;
    const write = socket.write.bind(socket) as (...all: unknown[]) => boolean;
    socket.write = (...all: unknown[]) => {
      one.writes.push(String(all[0]));
      return write(...all);
    };
    passage.onEnd(() => one.ends.push('over'));
    before?.(sink);
    return {
      abort: (reason) => one.aborts.push(reason),
      resume: () => one.resumes++,
    };
  };
  const app = Fastify({ forceCloseConnections: true });
  app.get('/*', (request, reply) => {
    const target = readTarget(request.url);
    const passage = new RequestPassage({
      request,
      reply,
      target,
      routeId: 'r',
      service: 'a',
      path: target.path,
      hasCors: false,
      forwarded: new ForwardedFields(),
    });
    passage.answerHeaders.push('X-Limit', '7');
    const sink = new ClientSink(passage, limits);
    sink.follow(forward(passage, sink));
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const ask = async () => {
    const near = await client(port, get('/x'));
    await eventually(() => served.length > 0);
    return { near, one: served.at(-1)! };
  };
  return { ...time, ask, port };
}

const timedOut = expect.objectContaining({ code: 'ERR_TIMEOUT' }) as unknown;

describe('writes', () => {
  test('a small answer that is whole goes out in one piece', async () => {
    const { ask, isRunning } = await serve();
    const { near, one } = await ask();
    one.sink.head(200, 'Fine', ['Content-Length', '2']);
    one.sink.data(Buffer.from('\xfck', 'latin1'));
    one.sink.end([]);
    expect(await near.closed).toMatch(
      /^HTTP\/1\.1 200 Fine\r\nContent-Length: 2\r\nX-Limit: 7\r\n[^]*\r\n\r\n\xfck$/,
    );
    expect(one.writes).toHaveLength(1);
    expect(one.ends).toEqual(['over']);
    expect(one.aborts).toEqual([]);
    // What is over within a turn is nothing to look after.
    expect(isRunning()).toBe(false);
  });

  test('a head whose body is not there yet goes out in its turn, the body when it comes', async () => {
    const { ask } = await serve();
    const { near, one } = await ask();
    one.sink.head(200, '', ['Content-Length', '4']);
    await near.until(/\r\n\r\n$/);
    one.sink.data(Buffer.from('ab'));
    await near.until(/ab$/);
    one.sink.data(Buffer.from('cd'));
    one.sink.end([]);
    expect(await near.closed).toMatch(/abcd$/);
  });

  test('parts that come in one turn keep their order, whatever their size', async () => {
    const { ask } = await serve();
    const { near, one } = await ask();
    const parts = ['a', 'b'.repeat(20_000), 'c', 'd'.repeat(100_000), 'e'];
    one.sink.head(200, '', ['Content-Length', String(parts.join('').length)]);
    for (const part of parts) one.sink.data(Buffer.from(part));
    one.sink.end([]);
    expect((await near.closed).endsWith(`\r\n\r\n${parts.join('')}`)).toBe(true);
  });

  test('an answer that was there before its flow is written all the same', async () => {
    const { port } = await serve({}, (sink) => {
      sink.head(200, '', ['Content-Length', '2']);
      sink.data(Buffer.from('hi'));
      sink.end([]);
    });
    expect(await (await client(port, get('/x'))).closed).toMatch(/hi$/);
  });

  test('a failure before the head is a problem, with the fields of the passage; what comes after it counts nothing', async () => {
    const { ask } = await serve();
    const { near, one } = await ask();
    one.sink.fail(new HttpProblem('ERR_UPSTREAM', 'broke'));
    one.sink.head(200, '', []);
    one.sink.end([]);
    const answer = await near.closed;
    expect(problemOf(answer)).toMatchObject({ status: 502 });
    expect(answer).toMatch(/^x-limit: 7\r$/m);
  });

  test('a field that may not be written is thrown back, and can still become a problem', async () => {
    const { ask } = await serve();
    const { near, one } = await ask();
    expect(() => {
      one.sink.head(200, '', ['X-Bad', 'a\r\nX-Injected: 1']);
    }).toThrow();
    one.sink.fail(new HttpProblem('ERR_UPSTREAM', 'not HTTP'));
    const answer = await near.closed;
    expect(problemOf(answer)).toMatchObject({ status: 502 });
    expect(answer).not.toContain('Injected');
  });
});

describe('time', () => {
  test('an answer that stops is cut off, and its flow ended', async () => {
    const { ask, pass } = await serve();
    const { near, one } = await ask();
    one.sink.head(200, '', ['Content-Length', '10']);
    one.sink.data(Buffer.from('12345'));
    await near.until(/12345$/);
    pass(59_000);
    one.sink.data(Buffer.from('6'));
    pass(59_000);
    await near.until(/123456$/);
    expect(one.aborts).toEqual([]);
    pass(2_000);
    expect(await near.closed).toMatch(/123456$/);
    expect(one.aborts).toEqual([timedOut]);
    expect(one.ends).toEqual(['over']);
  });

  test.each(['text/event-stream', 'application/grpc+proto', 'Text/Event-Stream; charset=utf-8'])(
    'a stream (%s) may be silent for as long as it likes',
    async (type) => {
      const { ask, pass } = await serve({ totalTimeoutMs: 30_000 });
      const { near, one } = await ask();
      one.sink.head(200, '', ['content-type', type]);
      await near.until(/\r\n\r\n$/);
      pass(3_600_000);
      one.sink.data(Buffer.from('still here'));
      await near.until(/still here/);
      expect(one.aborts).toEqual([]);
    },
  );

  test('the whole exchange may have a limit: 504 before the head, a cut after it', async () => {
    const { ask, pass } = await serve({ totalTimeoutMs: 30_000 });
    const first = await ask();
    pass(30_000);
    expect(problemOf(await first.near.closed)).toMatchObject({ status: 504, code: 'ERR_TIMEOUT' });
    expect(first.one.aborts).toEqual([timedOut]);

    const second = await serve({ totalTimeoutMs: 30_000 });
    const { near, one } = await second.ask();
    one.sink.head(200, '', ['Content-Length', '10']);
    await near.until(/\r\n\r\n$/);
    second.pass(30_000);
    await near.closed;
    expect(one.aborts).toEqual([timedOut]);
  });

  test('a client that does not read is cut off; one that reads again is not', async () => {
    const { ask, pass } = await serve();
    const { near, one } = await ask();
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    near.socket.pause();
    one.sink.head(200, '', ['Content-Length', String(1e9)]);
    const fill = async (): Promise<void> => {
      for (let full = 0; full < 20;) {
        if (one.sink.data(chunk)) full = 0;
        else full++;
        await turn();
      }
    };
    await fill();
    pass(59_000);
    expect(one.aborts).toEqual([]);
    const before = one.resumes;
    near.socket.resume();
    await eventually(() => one.resumes > before);
    near.socket.pause();
    await fill();
    pass(59_000);
    expect(one.aborts).toEqual([]);
    pass(2_000);
    expect(one.aborts).toEqual([timedOut]);
    near.socket.resume();
    await near.closed;
    expect(one.ends).toEqual(['over']);
  });
});

describe('a request body', () => {
  test('that stops coming is a fault, unless nobody asks for more of it', async () => {
    const { watch, pass } = manualTime();
    const faults: string[] = [];
    const bodies: RequestBody[] = [];
    const server = createServer((request) => {
      const body = new RequestBody(request, {
        bodyLimit: 1e9,
        pace: readPace({ minBytesPerSecond: 0 }),
        watch,
      });
      body.onFault(({ code }) => faults.push(code));
      bodies.push(body);
    });
    server.listen(0, '127.0.0.1');
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const near = await client(port, 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n');
    await eventually(() => bodies.length > 0);
    pass(60_000);
    const [body] = bodies;
    let received = 0;
    body!.on('data', (chunk: Buffer) => (received += chunk.length));
    await turn();
    near.socket.write('x'.repeat(1_000));
    await eventually(() => received >= 1_000);
    pass(14_000);
    body!.pause();
    near.socket.write('x'.repeat(200_000));
    await eventually(() => body!.readableLength >= body!.readableHighWaterMark);
    pass(60_000);
    expect(faults).toEqual([]);
    body!.resume();
    await eventually(() => received >= 201_000);
    pass(14_000);
    expect(faults).toEqual([]);
    pass(1_500);
    expect(faults).toEqual(['ERR_REQUEST_TIMEOUT']);
  });
});
