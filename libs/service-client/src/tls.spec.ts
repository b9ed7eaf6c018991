import { afterEach, expect, test } from '@jest/globals';
import { createSecureServer } from 'node:http2';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createServiceClient, isUpstreamError, type ServiceClient, type TlsOptions } from './index.ts';
import { cert, key } from './testing/certificate.ts';
import { StaticDiscovery } from './testing/upstream.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

async function secure(options: ServerOptions = {}): Promise<Server> {
  const server = createServer({ cert, key, ...options }, (request, response) => {
    const peer = (request.socket as unknown as Pick<TLSSocket, 'getPeerCertificate'>).getPeerCertificate()
      .subject as { CN?: string } | undefined;
    response.end(JSON.stringify({ http: request.httpVersion, peer: peer?.CN }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return server;
}

function clientOf(server: Pick<Server, 'address'>, tls?: TlsOptions, allowH2 = false): ServiceClient {
  const { port } = server.address() as AddressInfo;
  const instance = { id: 'a', host: '127.0.0.1', port, metadata: { scheme: 'https' } };
  const client = createServiceClient({
    ...{ discovery: new StaticDiscovery([instance]), retry: { maxRetries: 0 } },
    ...(tls !== undefined && { tls }),
    allowH2,
  });
  cleanup.push(() => client.close(0));
  return client;
}

const ask = (client: ServiceClient) => client.json({ service: 'user-service', path: '/' });

test('an instance that says https is called over TLS, with a certificate that is trusted for its name', async () => {
  const client = clientOf(await secure(), { ca: cert, servername: 'instance.test' });
  expect((await ask(client)).data).toEqual({ http: '1.1' });
});

test.each([
  ['is not trusted', undefined],
  ['is for another name', { ca: cert, servername: 'other.test' }],
])('a certificate that %s is refused', async (_, tls) => {
  const error: unknown = await ask(clientOf(await secure(), tls)).catch((thrown: unknown) => thrown);
  expect(isUpstreamError(error)).toBe(true);
  expect((error as Error).message).toMatch(/self-signed|altnames/i);
});

test('the client shows a certificate of its own where one is asked for (mutual TLS)', async () => {
  const server = await secure({ ca: cert, requestCert: true, rejectUnauthorized: true });
  const own = clientOf(server, { ca: cert, servername: 'instance.test', cert, key });
  expect((await ask(own)).data).toEqual({ http: '1.1', peer: 'instance.test' });
  const none = clientOf(server, { ca: cert, servername: 'instance.test' });
  await expect(ask(none)).rejects.toBeDefined();
});

test('HTTP/2 with an instance that offers it, when it is allowed: calls share a connection, bodies go both ways', async () => {
  let sessions = 0;
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const trace = request.headers['traceparent'] !== undefined;
      response.end(JSON.stringify({ http: request.httpVersion, body, trace }));
    });
  });
  server.on('session', () => (sessions += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const tls = { ca: cert, servername: 'instance.test' };
  const client = clientOf(server, tls, true);
  const call = { service: 'user-service', path: '/', method: 'PUT', body: { a: 1 } };
  const answers = await Promise.all([client.json(call), client.json(call), client.json(call)]);
  for (const { data } of answers) expect(data).toEqual({ http: '2.0', body: '{"a":1}', trace: true });
  expect(sessions).toBe(1);
  expect((await ask(clientOf(server, tls))).data).toMatchObject({ http: '1.1' });
  await client.close(0);
  server.close();
});
