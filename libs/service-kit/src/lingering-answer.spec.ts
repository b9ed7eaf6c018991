import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createApp } from './app.ts';
import type { App } from './app.ts';
import { readConfig, serviceSettings } from './config.ts';
import { identityOf } from './identity.ts';
import { z } from 'zod';

const config = readConfig(z.object(serviceSettings), { LOG_LEVEL: 'silent', BODY_LIMIT: '1000' });
const open: { app: App; socket: Socket }[] = [];

afterEach(async () => {
  for (const { app, socket } of open.splice(0)) {
    socket.destroy();
    await app.close();
  }
});

async function connection(): Promise<Socket> {
  const app = createApp({ identity: identityOf('note-service', 4000), config });
  app.post('/notes', () => 'taken');
  await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  open.push({ app, socket });
  return socket;
}

const head = (length: string) =>
  `POST /notes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${length}\r\n\r\n`;

/** What has been received when `pattern` is in it, or when the connection ended. */
async function received(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += String(chunk);
    if (pattern.test(text)) break;
  }
  return text;
}

// Once found as a broken pipe in a client that was refused in the middle of its upload.
test('who is refused while still sending can send on, reads the answer, and keeps the connection', async () => {
  const socket = await connection();
  const body = Buffer.alloc(3_000_000, 'x');
  socket.write(head(`content-length: ${body.length}`));
  expect(await received(socket, /ERR_BODY_TOO_LARGE/)).toMatch(/^HTTP\/1\.1 413 /);

  if (!socket.write(body)) await once(socket, 'drain');
  socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n');
  expect(await received(socket, /healthy/)).toMatch(/^HTTP\/1\.1 200 /);
});

test.each(['content-length: 999999999999', 'transfer-encoding: chunked'])(
  'a rest without a fair bound is not read: %s',
  async (length) => {
    const socket = await connection();
    socket.write(head(length));
    socket.on('error', () => undefined);
    if (length.startsWith('transfer')) socket.write(`7d0\r\n${'x'.repeat(2000)}\r\n`);
    const answer = await received(socket, /never/);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/connection: close/i);
  },
);
