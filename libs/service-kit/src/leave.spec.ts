import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { createApp } from './app.ts';
import { readConfig, serviceSettings } from './config.ts';
import { identityOf } from './identity.ts';
import { Connections } from './connections.ts';
import { leave } from './leave.ts';
import type { Membership } from './membership.ts';

const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

const nobody = { known: false, withdraw: () => Promise.resolve(), close: () => Promise.resolve() };

test('who waited at the door when it closed is served: connections not accepted yet, requests not read yet', async () => {
  const config = readConfig(z.object(serviceSettings), { LOG_LEVEL: 'silent', LEAVE_DELAY_MS: '0' });
  const app = createApp({ identity: identityOf('late-service', 1), config });
  app.get('/late', () => ({ served: true }));
  const connections = new Connections(app.server);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  for (let at = 0; at < 20; at++) {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /late HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n');
    sockets.push(socket);
  }
  // The kernel has taken them all; this process has accepted one of them at most.
  await once(sockets[0]!, 'connect');
  const answers = sockets.map((socket) => text(socket).catch((error: unknown) => String(error)));
  expect(await leave({ app, connections, membership: nobody as unknown as Membership, config })).toBe(true);
  for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1.1 200 /);
});
