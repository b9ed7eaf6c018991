import { afterEach, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

// Real processes: on a busy machine they take their time.
jest.setTimeout(120_000);

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const children: ChildProcess[] = [];
const servers: Server[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** The gateway in a process of its own, over one service that takes `?ms=` to answer. */
async function gateway(env: Record<string, string> = {}): Promise<{ child: ChildProcess; port: number }> {
  const users = createServer((request, response) => {
    const ms = Number(new URL(request.url ?? '/', 'http://a').searchParams.get('ms'));
    setTimeout(() => response.end('{"users":[]}'), ms);
  });
  users.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.on('error', () => undefined).resume();
    socket.write(
      `HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  });
  servers.push(users);
  users.listen(0, '127.0.0.1');
  await once(users, 'listening');
  const address = `static:user-service=127.0.0.1:${(users.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, ['--conditions=@mesh/source', main], {
    env: { PORT: '0', LOG_LEVEL: 'silent', DISCOVERY_URL: address, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  children.push(child);
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

/** Asks one thing after the other on one connection, and nothing twice, until it is refused. @returns what came of each. */
async function client(port: number, path: string): Promise<(number | string)[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const results: (number | string)[] = [];
  while (results.at(-1) !== 'ECONNREFUSED') {
    results.push(
      await new Promise<number | string>((resolve) => {
        const request = get({ agent, host: '127.0.0.1', port, path }, (response) => {
          response.on('end', () => {
            resolve(response.statusCode ?? 0);
          });
          response.on('error', () => {
            resolve('broken');
          });
          response.resume();
        });
        request.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => {
          resolve(code === 'ECONNRESET' && !request.reusedSocket ? 'not accepted' : code);
        });
      }),
    );
  }
  agent.destroy();
  return results;
}

test.each([['1'], ['2']])(
  'SIGTERM under load, %s process(es): every request is answered, then connections are refused',
  async (WORKERS) => {
    const { child, port } = await gateway({ WORKERS });
    const paths = ['/api/users', '/api/users?ms=20', '/api/users?ms=500', '/users'];
    const load = Promise.all(paths.flatMap((path) => [client(port, path), client(port, path)]));
    await sleep(1000);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    const results = (await load).flat();
    expect(code).toBe(0);
    expect(results.filter((result) => result === 200).length).toBeGreaterThan(paths.length);
    expect(results.filter((result) => ![200, 'ECONNREFUSED', 'not accepted'].includes(result))).toEqual([]);
    // With workers it is Node's primary that closes the door, and not in a quiet moment.
    if (WORKERS === '1')
      expect(results.filter((result) => result === 'not accepted').length).toBeLessThanOrEqual(1);
  },
);

test('SIGTERM tells WebSockets that it goes away, also those that have been silent for long', async () => {
  const { child, port } = await gateway({ LEAVE_DELAY_MS: '500' });
  const sockets = [1, 2, 3].map(() => new WebSocket(`ws://127.0.0.1:${port}/api/users`));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const closed = sockets.map((socket) => once(socket, 'close') as Promise<CloseEvent[]>);
  child.kill('SIGTERM');
  const codes = (await Promise.all(closed)).map(([event]) => event?.code);
  expect(codes).toEqual([1001, 1001, 1001]);
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('/metrics counts the calls of all processes', async () => {
  const { port } = await gateway({ WORKERS: '2' });
  for (let count = 0; count < 10; count++) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/users`, { headers: { connection: 'close' } });
    await answer.text();
  }
  const metrics = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(await metrics.json()).toMatchObject({ totalRequests: 10, successfulRequests: 10 });
  const accept = 'application/openmetrics-text';
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { accept } })).text();
  expect(text).toMatch(/mesh_gateway_circuits\{service="user-service",instance="[^"]+",state="closed"\} 2/);
});
