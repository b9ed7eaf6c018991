import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createHttp2 } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { createServer as createHttp } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Instance } from '@mesh/discovery-client';
import type { HealthCheck } from './health-check.ts';
import { isOwnUrl, isProbeable, mayConnect } from './probe-address.ts';
import { isProbed, probeInstance } from './probe.ts';
import { reachAddress } from './reach.ts';

const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const instanceAt = (port: number, more: Partial<Instance> = {}): Instance => ({
  id: 'a',
  name: 'user-service',
  host: '127.0.0.1',
  port,
  weight: 1,
  metadata: {},
  status: 'up',
  heartbeatInterval: 30,
  incarnation: 'first',
  registeredAt: '',
  lastHeartbeat: '',
  ...more,
});

describe('an address', () => {
  test('that refused while this process stood still is not silent', async () => {
    const port = await listen(createServer());
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const reach = reachAddress({ host: '127.0.0.1', port }, 20);
    // The connection is on its way by then.
    await new Promise<void>((resolve) => {
      process.nextTick(() => {
        process.nextTick(resolve);
      });
    });
    const until = performance.now() + 60;
    while (performance.now() < until);
    expect(await reach).toBe('refused');
  });

  test('where somebody listens answers, where nobody does refuses', async () => {
    const port = await listen(createServer((socket) => socket.resume()));
    expect(await reachAddress({ host: '127.0.0.1', port }, 1000)).toBe('answered');
    servers.pop()?.close();
    expect(await reachAddress({ host: '127.0.0.1', port }, 1000)).toBe('refused');
  });

  test('whose process is dying, so that the connection is taken and then broken, refuses', async () => {
    const server = createServer((socket: Socket) => {
      server.close();
      socket.resetAndDestroy();
    });
    const port = await listen(server);
    servers.pop();
    expect(await reachAddress({ host: '127.0.0.1', port }, 1000)).toBe('refused');
  });

  test('that may not be called, or is not known, is silent', async () => {
    expect(await reachAddress({ host: '169.254.169.254', port: 80 }, 50)).toBe('silent');
    expect(await reachAddress({ host: 'nobody.invalid', port: 80 }, 500)).toBe('silent');
  });
});

test.each([
  ['127.0.0.1', true],
  ['10.0.0.1', true],
  ['::1', true],
  ['169.254.169.254', false],
  ['::ffff:169.254.169.254', false],
  ['0.0.0.0', false],
  ['::', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['fe80::1', false],
  ['fd00:ec2::254', false],
  ['not an address', false],
])('the registry may call %s: %s', (address, may) => {
  expect(isProbeable(address)).toBe(may);
});

test('a health check leads to the host that is registered, and nowhere else', () => {
  const leads = (url: string, host: string) => isOwnUrl(new URL(url), host);
  expect(leads('http://localhost:4001/health', 'localhost')).toBe(true);
  expect(leads('http://127.0.0.1:9/health', 'localhost')).toBe(true);
  expect(leads('http://[::1]:9/health', '127.0.0.1')).toBe(true);
  expect(leads('http://10.0.0.1/health', '127.0.0.1')).toBe(false);
  expect(leads('http://localhost.evil.example/health', 'localhost')).toBe(false);
  expect(leads('http://localhost@evil.example/health', 'localhost')).toBe(false);
  expect(mayConnect('users.internal')).toBe(true);
  const check: HealthCheck = { type: 'http' };
  expect(isProbed(instanceAt(1, { healthCheckUrl: 'http://10.0.0.1:1/' }), check)).toBe(false);
  expect(isProbed(instanceAt(1, { host: '169.254.169.254' }), { type: 'tcp' })).toBe(false);
  expect(isProbed(instanceAt(1), check)).toBe(true);
});

describe('a check', () => {
  const ask = (instance: Instance, check: HealthCheck) =>
    probeInstance(instance, check, AbortSignal.timeout(300)).catch(() => 'failed');

  test('by HTTP is well with 2xx of the process that is meant', async () => {
    const port = await listen(
      createHttp((request, response) => {
        if (request.url === '/hangs') return;
        const [, status, incarnation] = request.url?.split('/') ?? [];
        if (incarnation !== undefined) response.setHeader('x-mesh-incarnation', incarnation);
        if (status === '302') response.setHeader('location', '/200');
        response.statusCode = Number(status);
        response.end();
      }),
    );
    const http = (path: string) =>
      ask(instanceAt(port, { healthCheckUrl: `http://localhost:${port}${path}` }), { type: 'http' });
    expect(await http('/200')).toBe(true);
    expect(await http('/204/first')).toBe(true);
    expect(await http('/200/second')).toBe(false);
    expect(await http('/302')).toBe(false);
    expect(await http('/503')).toBe(false);
    expect(await http('/hangs')).toBe('failed');
    expect(await ask(instanceAt(port), { type: 'http', path: '/200' })).toBe(true);
  });

  test('by gRPC is well when it is SERVING', async () => {
    const answers: Record<string, number[]> = {
      '': [0, 0, 0, 0, 2, 0x08, 0x01],
      sick: [0, 0, 0, 0, 2, 0x08, 0x02],
      odd: [1, 2],
    };
    const server = createHttp2();
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const service = Buffer.concat(chunks).subarray(7).toString();
        expect(headers[':path']).toBe('/grpc.health.v1.Health/Check');
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        stream.end(Buffer.from(answers[service] ?? []));
      });
    });
    const port = await listen(server);
    const grpc = (grpcService?: string) => ask(instanceAt(port), { type: 'grpc', grpcService });
    expect(await grpc()).toBe(true);
    expect(await grpc('sick')).toBe(false);
    expect(await grpc('odd')).toBe(false);
    const silent = await listen(createServer((socket) => socket.resume()));
    expect(await ask(instanceAt(silent), { type: 'grpc' })).toBe('failed');
    expect(await ask(instanceAt(1), { type: 'grpc' })).toBe('failed');
  });

  test('by TCP is well when somebody listens', async () => {
    const port = await listen(createServer((socket) => socket.resume()));
    expect(await ask(instanceAt(port), { type: 'tcp' })).toBe(true);
    expect(await ask(instanceAt(1), { type: 'tcp' })).toBe(false);
  });
});
