import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

/** Users in terminals of their own, as the circuit breaker scenario has it: nobody starts them again after a kill. */
let mesh: RunningMesh;
const users: ChildProcess[] = [];

beforeAll(async () => {
  mesh = await startMesh({ CIRCUIT_RESET_TIMEOUT_MS: '1000' }, '--only', 'api-gateway');
  await startUsers(3);
});
afterAll(async () => {
  await killUsers();
  await mesh.stop();
});

async function startUsers(count: number): Promise<void> {
  for (let user = 0; user < count; user++) {
    const child = spawn(process.execPath, ['--conditions=@mesh/source', 'apps/user/src/main.ts'], {
      cwd: join(import.meta.dirname, '../..'),
      stdio: 'ignore',
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        PORT: '0',
        DISCOVERY_URL: mesh.url('discovery'),
        DATABASE_URL: 'sqlite::memory:',
      },
    });
    users.push(child);
  }
  await eventually(async () => {
    const { body } = await get(`${mesh.url('discovery')}/services/user-service`);
    expect(body.instances.length).toBeGreaterThanOrEqual(count);
  });
}

async function killUsers(): Promise<void> {
  await Promise.all(
    users.splice(0).map(async (child) => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }),
  );
}

const ask = () => get(`${mesh.url('api-gateway')}/users`);

test('kill -9 of all: three calls fail, the circuit opens, a new one closes it', async () => {
  await eventually(async () => {
    expect((await ask()).body.meta.degraded).toBe(false);
  });
  await killUsers();
  for (let failure = 0; failure < 3; failure++) {
    const { status, body } = await ask();
    expect(status).toBe(200);
    // Whether the gateway has heard of their deaths already: their sessions broke, and the registry let them go.
    const reason: unknown = expect.stringMatching(/^ERR_(UNAVAILABLE|NO_INSTANCE)$/);
    expect(body.meta).toMatchObject({ source: 'stale-cache', degraded: true, reason });
    expect(body.users).toHaveLength(3);
  }
  expect((await ask()).body.meta).toMatchObject({ source: 'stale-cache', reason: 'ERR_CIRCUIT_OPEN' });
  expect((await get(`${mesh.url('api-gateway')}/health`)).body.circuitBreakers['user-service'].status).toBe(
    'OPEN',
  );
  const write = await fetch(`${mesh.url('api-gateway')}/api/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Eve', email: 'eve@example.com', age: 20 }),
  });
  expect([write.status, Number(write.headers.get('retry-after')) >= 1]).toEqual([503, true]);

  await startUsers(1);
  await eventually(async () => {
    expect((await ask()).body.meta).toMatchObject({
      source: 'service-discovery + circuit-breaker',
      degraded: false,
    });
    expect((await get(`${mesh.url('api-gateway')}/health`)).body.circuitBreakers['user-service'].status).toBe(
      'CLOSED',
    );
  });
});
