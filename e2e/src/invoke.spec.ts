import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { call, get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

/** The calls of the service-mesh seed as it writes them; only the ports are those of this run. */
let mesh: RunningMesh;
let payments: Server;

beforeAll(async () => {
  payments = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = { method: request.method, url: request.url, body: Buffer.concat(chunks).toString() };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(received));
    });
  });
  await new Promise<void>((resolve) => payments.listen(0, '127.0.0.1', resolve));
  mesh = await startMesh();
});
afterAll(async () => {
  await mesh.stop();
  payments.close();
});

const port = (): number => (payments.address() as AddressInfo).port;

describe.each(['discovery', 'api-gateway'])('on %s', (door) => {
  test('an instance is registered, invoked and measured', async () => {
    const registered = await call('POST', `${mesh.url('discovery')}/register`, {
      id: 'payment-service-1',
      name: 'payment-service',
      host: 'localhost',
      port: port(),
      healthCheckUrl: `http://localhost:${port()}/health`,
      metadata: { version: '2.0.0', region: 'us-east-1' },
      healthy: true,
      failureCount: 0,
      requestCount: 0,
      avgResponseTime: 0,
      lastHealthCheck: 0,
    });
    expect([200, 201]).toContain(registered.status);
    expect(registered.body).toMatchObject({ id: 'payment-service-1', lease: { durationMs: 45_000 } });

    const invoked = await call('POST', `${mesh.url(door)}/invoke`, {
      serviceName: 'payment-service',
      endpoint: '/api/process-payment',
      method: 'POST',
      body: JSON.stringify({ amount: 100, currency: 'USD' }),
    });
    expect(invoked.status).toBe(200);
    expect(invoked.body).toMatchObject({
      service: 'payment-service',
      instance: 'payment-service-1',
      body: { method: 'POST', url: '/api/process-payment', body: '{"amount":100,"currency":"USD"}' },
    });

    const { body } = await get(`${mesh.url(door)}/metrics`);
    expect(body.totalRequests).toBeGreaterThanOrEqual(1);
    expect(body.successRate).toMatch(/^\d+\.\d{2}%$/);
    expect(body.averageLatency).toMatch(/^\d+ms$/);
    expect(body.circuitBreakers['payment-service']).toMatchObject({ status: 'CLOSED', failureCount: 0 });
    expect(body.serviceHealth['payment-service:payment-service-1']).toBe(true);
  });

  test('a user is fetched by name', async () => {
    const request = { serviceName: 'user-service', endpoint: '/api/users/1', method: 'GET' };
    const { status, body } = await call('POST', `${mesh.url(door)}/invoke`, request);
    expect(status).toBe(200);
    expect(body.body.user).toMatchObject({ id: 1, name: 'John Doe' });
  });

  test("the seed's user 123 does not exist here, and the answer says so", async () => {
    const request = { serviceName: 'user-service', endpoint: '/api/users/123', method: 'GET' };
    const { status, body } = await call('POST', `${mesh.url(door)}/invoke`, request);
    expect(status).toBe(404);
    expect(body).toMatchObject({ service: 'user-service', status: 404, body: { code: 'ERR_USER_UNKNOWN' } });
  });

  test('a page of another origin may not invoke', async () => {
    const request = { serviceName: 'user-service', endpoint: '/users', method: 'GET' };
    const answer = await call('POST', `${mesh.url(door)}/invoke`, request, { origin: 'http://evil.example' });
    expect(answer.status).toBe(403);
  });
});

test('register, heartbeat, list and remove, as the discovery seed writes them', async () => {
  const url = mesh.url('discovery');
  const lease = { name: 'lonely-service', port: 4999, heartbeatInterval: 30 };
  expect((await call('POST', `${url}/register`, lease)).status).toBe(201);
  expect((await call('POST', `${url}/heartbeat`, lease)).status).toBe(200);
  const found = await get(`${url}/services/lonely-service`);
  expect(found.body.instances[0]).toMatchObject({ host: '127.0.0.1', port: 4999, heartbeatInterval: 30 });
  expect((await call('DELETE', `${url}/services/lonely-service/4999`)).status).toBe(200);
  expect((await get(`${url}/services/lonely-service`)).status).toBe(404);
  const unknown = await call('POST', `${url}/heartbeat`, lease);
  expect(unknown.status).toBe(404);
  expect(unknown.body.code).toBe('ERR_INSTANCE_UNKNOWN');
});
