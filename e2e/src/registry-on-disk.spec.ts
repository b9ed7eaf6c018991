import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventually } from './eventually.ts';
import { call, get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

const folder = mkdtempSync(join(tmpdir(), 'mesh-registry-'));
const file = join(folder, 'new', 'registry.snapshot');
const env = { REGISTRY_URL: pathToFileURL(file).href };

let living: Server;
let mesh: RunningMesh;

beforeAll(async () => {
  living = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(living, 'listening');
  mesh = await startMesh(env);
});
afterAll(async () => {
  await mesh.stop();
  living.close();
  rmSync(folder, { recursive: true, force: true });
});

const livingPort = (): number => (living.address() as AddressInfo).port;

/** Nobody would register it again, and nobody beats for it. */
const byHand = (port: number) =>
  call('POST', `${mesh.url('discovery')}/register`, { name: 'by-hand', port, heartbeatInterval: 3600 });

/** Ports by name of service, sorted. */
async function listed(query = ''): Promise<Record<string, number[]>> {
  const { body } = await get(`${mesh.url('discovery')}/services${query}`);
  return Object.fromEntries(
    body.services.map(({ name, instances }: { name: string; instances: { port: number }[] }) => [
      name,
      instances.map(({ port }) => port).sort(),
    ]),
  );
}

/** What the orchestrator runs, and who was registered by hand. */
const running = (...extra: number[]): Record<string, number[]> => ({
  'user-service': mesh
    .instances('user-service')
    .map(({ port }) => port)
    .sort(),
  'order-service': mesh
    .instances('order-service')
    .map(({ port }) => port)
    .sort(),
  'api-gateway': mesh.instances('api-gateway').map(({ port }) => port),
  'by-hand': extra,
});

test('kill -9 of discovery: it is started again, and nothing is lost', async () => {
  const discovery = mesh.url('discovery');
  expect((await byHand(livingPort())).status).toBe(201);
  const [user] = (await get(`${discovery}/services/user-service`)).body.instances;
  const decided = await call('PUT', `${discovery}/services/user-service/${user.id}/weight`, { weight: 7 });
  expect(decided.status).toBe(200);
  // The snapshot of a change is written within a second.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect(existsSync(file)).toBe(true);

  process.kill(mesh.instances('discovery')[0]?.pid ?? 0, 'SIGKILL');
  await eventually(async () => {
    expect((await get(`${discovery}/health`)).body.uptime).toBeLessThan(10);
  }, 30_000);
  // From its first answer on.
  expect(await listed()).toEqual(running(livingPort()));
  const { body } = await get(`${discovery}/services/user-service`);
  expect(body.instances.find(({ id }: { id: string }) => id === user.id).weight).toBe(7);
});

test('Ctrl+C and a new start: who is gone is not listed, who still listens is', async () => {
  const closing = createServer().listen(0, '127.0.0.1');
  await once(closing, 'listening');
  const { port: closedPort } = closing.address() as AddressInfo;
  expect((await byHand(closedPort)).status).toBe(201);
  const former = mesh.all().map(({ port }) => port);
  expect(await mesh.stop()).toBe(0);
  closing.close();
  await once(closing, 'close');

  mesh = await startMesh(env);
  expect(mesh.readyMs).toBeGreaterThan(0);
  expect(await listed()).toEqual(running(livingPort()));
  const all = Object.values(await listed('?status=any')).flat();
  const current = mesh.all().map(({ port }) => port);
  expect(all.filter((port) => former.includes(port) && !current.includes(port))).toEqual([]);
  expect(all).not.toContain(closedPort);
});

test('kill -9 of everything and a new start: none of the dead is listed when the mesh is ready', async () => {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const former = mesh.all();
  await mesh.kill();
  for (const { pid } of former) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It left by itself.
    }
  }
  mesh = await startMesh(env);
  expect(await listed('?status=any')).toEqual(running(livingPort()));
});
