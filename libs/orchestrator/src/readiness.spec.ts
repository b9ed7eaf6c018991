import { afterEach, expect, test } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { freePorts } from './ports.ts';
import { probeHealth, probeListening, probeRegistered, waitForGate } from './readiness.ts';

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

test('it looks often at first, then less, and gives up in time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(60_000), fc.integer({ min: 1, max: 60_000 }), async (readyAt, timeoutMs) => {
      let now = 0;
      let previous = 0;
      const result = await waitForGate(
        () => {
          const gap = now - previous;
          if (now > 0) expect(gap).toBeLessThanOrEqual(Math.min(500, Math.max(25, previous / 20)) + 1e-6);
          if (now > 0 && now < timeoutMs) expect(gap).toBeGreaterThanOrEqual(24.999);
          previous = now;
          return Promise.resolve(now >= readyAt ? undefined : 'not yet');
        },
        {
          signal: new AbortController().signal,
          timeoutMs,
          clock: { now: () => now },
          pause: (ms) => Promise.resolve((now += ms)),
        },
      );
      expect(now).toBeLessThanOrEqual(timeoutMs + 1e-6);
      expect(result).toEqual(
        readyAt <= now ? { outcome: 'passed' } : { outcome: 'timeout', reason: 'not yet' },
      );
    }),
  );
});

test('an abort ends the wait at once, also in the middle of a pause', async () => {
  const controller = new AbortController();
  const waiting = waitForGate(
    () => {
      setImmediate(() => {
        controller.abort();
      });
      return Promise.resolve('not yet');
    },
    { signal: controller.signal, timeoutMs: Infinity },
  );
  expect(await waiting).toEqual({ outcome: 'aborted' });
});

test('listening is told from not listening', async () => {
  const port = await serve(() => undefined);
  const [free = 0] = await freePorts(1);
  expect(await probeListening(port)()).toBeUndefined();
  expect(await probeListening(free)()).toBe(`nothing listens on port ${free}`);
});

test('healthy is 200 and nothing else', async () => {
  let status = 503;
  const port = await serve((_, response) => response.writeHead(status).end('{}'));
  const url = `http://127.0.0.1:${port}/health`;
  expect(await probeHealth(url)()).toBe(`${url} answered 503`);
  status = 204;
  expect(await probeHealth(url)()).toBe(`${url} answered 204`);
  status = 200;
  expect(await probeHealth(url)()).toBeUndefined();
});

test('a connection that breaks is a reason, not an error', async () => {
  const port = await serve((request) => request.socket.destroy());
  expect(await probeHealth(`http://127.0.0.1:${port}/`)()).toContain('socket hang up');
  const [free = 0] = await freePorts(1);
  expect(await probeHealth(`http://127.0.0.1:${free}/`)()).toBe(
    `http://127.0.0.1:${free}/: connection refused`,
  );
});

test('an answer without end is cut off', async () => {
  const port = await serve((_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      response.once('drain', more);
    };
    more();
  });
  expect(await probeHealth(`http://127.0.0.1:${port}/`)()).toContain('the answer is too large');
});

const started = Date.parse('2024-01-15T10:30:00.000Z');
const registries: readonly (readonly [what: string, status: number, body: unknown, passed: boolean])[] = [
  ['lists the port', 200, { instances: [{ port: 4000 }] }, true],
  ['lists other ports', 200, { instances: [{ port: 4001 }, null, 4000, '4000'] }, false],
  ['knows nobody', 404, { code: 'ERR_SERVICE_UNKNOWN' }, false],
  ['answers something else', 200, 'nonsense', false],
  ['answers null', 200, null, false],
  [
    'only remembers the process before this one',
    200,
    {
      instances: [
        { port: 4000, registeredAt: '2024-01-15T10:00:00Z', lastHeartbeat: '2024-01-15T10:29:59.999Z' },
      ],
    },
    false,
  ],
  [
    'has heard of this process',
    200,
    {
      instances: [
        { port: 4000, registeredAt: '2024-01-15T10:00:00Z', lastHeartbeat: '2024-01-15T10:30:00Z' },
      ],
    },
    true,
  ],
];

test.each(registries)('a registry that %s', async (_, status, body, passed) => {
  const port = await serve((__, response) => response.writeHead(status).end(JSON.stringify(body)));
  const url = `http://127.0.0.1:${port}/services/user`;
  const reason = await probeRegistered(url, 4000, started)();
  if (passed) expect(reason).toBeUndefined();
  else expect(reason).toContain(status === 200 ? 'does not list port 4000' : `${url} answered ${status}`);
});
