import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Connections } from './connections.ts';

// Encryption without a certificate: who the server is does not matter here.
const anonymous = { ciphers: 'aNULL:@SECLEVEL=0', maxVersion: 'TLSv1.2' } as const;
const request = 'GET / HTTP/1.1\r\nhost: here\r\n\r\n';
const cleanups: (() => unknown)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function listening(server: Server): Promise<{ connections: Connections; port: number }> {
  const connections = new Connections(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    connections.destroy();
    server.close();
  });
  return { connections, port: (server.address() as AddressInfo).port };
}

function sweeps(connections: Connections): void {
  for (let time = 0; time < 10; time++) connections.sweep();
}

const kinds: [string, () => Server, (port: number) => Socket][] = [
  ['plain', () => createServer(), (port) => connect(port, '127.0.0.1')],
  [
    'encrypted',
    () => createHttpsServer(anonymous),
    (port) =>
      connectTls({
        ...anonymous,
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
      }),
  ],
];

test.each(kinds)(
  'a %s connection is closed when it is idle, never while it answers',
  async (_, serve, call) => {
    const server = serve();
    const { connections, port } = await listening(server);
    const client = call(port);
    client.write(request);
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    expect(connections.size).toBe(1);
    sweeps(connections);
    response.end('slow');
    const [answer] = (await once(client, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
    sweeps(connections);
    await once(client.resume(), 'close');
    expect(connections.size).toBe(0);
  },
);

test('a connection of HTTP/2 is left to its own farewell, and cut off with the rest', async () => {
  const server = createHttp2Server() as unknown as Server;
  const { connections, port } = await listening(server);
  const client = connect(port, '127.0.0.1')
    .resume()
    .on('error', () => undefined);
  client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
  await once(client, 'data');
  sweeps(connections);
  expect(connections.size).toBe(1);
  connections.destroy();
  await new Promise((resolve) => client.once('close', resolve));
  expect(connections.size).toBe(0);
});
