import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from './eventually.ts';
import { get, load } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

let mesh: RunningMesh;

beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.stop());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A live answer through the composed route and through the proxy, or what was wrong with it. */
async function readBoth(): Promise<string | undefined> {
  const composed = await get(`${mesh.url('api-gateway')}/users`);
  if (composed.status !== 200 || composed.body.meta.degraded)
    return `${composed.status} ${JSON.stringify(composed.body.meta ?? composed.body)}`;
  const proxied = await get(`${mesh.url('api-gateway')}/api/orders/1`);
  return proxied.status === 200 ? undefined : `${proxied.status} ${JSON.stringify(proxied.body)}`;
}

test('kill -9 of an instance under load: no idempotent request fails, and it is started again', async () => {
  const end = load(16, readBoth);
  await pause(500);
  const victims = [mesh.instances('user-service')[0], mesh.instances('order-service')[1]];
  for (const victim of victims) process.kill(victim?.pid ?? 0, 'SIGKILL');
  await pause(2_500);
  const { sent, faults } = await end();
  console.info(`kill -9 of two instances: ${sent} rounds, ${faults.length} failed`);
  expect(faults).toEqual([]);
  expect(sent).toBeGreaterThan(50);
  await eventually(async () => {
    const { body } = await get(`${mesh.url('discovery')}/services/user-service`);
    expect(body.instances).toHaveLength(3);
  });
});

test('kill -9 of discovery under load: calls go on from the cache, and everybody registers again', async () => {
  const before = mesh.instances('discovery')[0]?.pid ?? 0;
  const end = load(8, readBoth);
  await pause(500);
  process.kill(before, 'SIGKILL');
  await eventually(async () => {
    const { body } = await get(`${mesh.url('discovery')}/health`);
    expect(body.instances).toBe(7);
  }, 30_000);
  await pause(1_000);
  const { sent, faults } = await end();
  console.info(`kill -9 of discovery: ${sent} rounds, ${faults.length} failed`);
  expect(faults).toEqual([]);
  expect((await get(`${mesh.url('api-gateway')}/health`)).body.serviceDiscovery.status).toBe('connected');
});

test('a rolling restart of every service under load: no idempotent request fails', async () => {
  const end = load(8, readBoth);
  for (const { instance } of [...mesh.instances('user-service'), ...mesh.instances('order-service')]) {
    await mesh.restart(instance);
  }
  const { sent, faults } = await end();
  console.info(`rolling restart: ${sent} rounds, ${faults.length} failed`);
  expect(faults).toEqual([]);
});
