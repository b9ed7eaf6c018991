import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from '@jest/globals';

const closers: (() => unknown)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Undefined while there is no descriptor left for the connection. */
function health(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      { port, host: '127.0.0.1', path: '/health', agent: false, timeout: 500 },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    asked.on('error', () => {
      resolve(undefined);
    });
    asked.on('timeout', () => {
      asked.destroy();
    });
    asked.end();
  });
}

test('a registry that runs out of descriptors goes on, and serves again when some are free', async () => {
  const script = join(import.meta.dirname, 'testing', 'small-server.mts');
  const child = spawn(
    '/bin/sh',
    ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, '--conditions=@mesh/source', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  closers.push(() => child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const port = Number(line);
  expect(await health(port)).toBe(200);
  const sockets: Socket[] = [];
  for (let n = 0; n < 100; n++) {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET /watch HTTP/1.1\r\nhost: localhost\r\n\r\n'),
    );
    socket.on('error', () => undefined).resume();
    sockets.push(socket);
    closers.push(() => socket.destroy());
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(child.exitCode).toBeNull();
  for (const socket of sockets) socket.destroy();
  let status = await health(port);
  while (status !== 200) status = await health(port);
  expect(child.exitCode).toBeNull();
}, 60_000);
