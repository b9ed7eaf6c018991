import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from './eventually.ts';
import { get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

let mesh: RunningMesh;
beforeAll(async () => {
  mesh = await startMesh(
    { HEALTH_CHECK_INTERVAL_MS: '1000' },
    '--only',
    'discovery,user-service,api-gateway',
  );
});
afterAll(() => mesh.stop());

interface Outcomes {
  readonly count: number;
}

/** How many calls and checks of the user service the monitor knows of. */
async function known(): Promise<number> {
  const { services } = (await get(`${mesh.url('discovery')}/health/services?window=5m`)).body;
  const users = services.find(({ name }: { name: string }) => name === 'user-service');
  return users.instances.reduce(
    (sum: number, { outcomes }: { outcomes: Outcomes }) => sum + outcomes.count,
    0,
  );
}

/** The status of the user service's instances as the gateway shows it. */
async function shown(): Promise<unknown[]> {
  const { monitor } = (await get(`${mesh.url('api-gateway')}/health`)).body;
  const instances = Object.values<{ status: string }>(monitor.services['user-service']?.instances ?? {});
  return instances.map(({ status }) => status).sort();
}

test('calls through the gateway count for the monitor, and the gateway shows how the monitor sees the services', async () => {
  await eventually(async () => {
    expect(await shown()).toEqual(['up', 'up', 'up']);
  });
  const before = await known();
  for (let call = 0; call < 200; call++) {
    expect((await get(`${mesh.url('api-gateway')}/api/user-service/users`)).status).toBe(200);
  }
  await eventually(async () => {
    expect(await known()).toBeGreaterThanOrEqual(before + 200);
  });

  await mesh.stopService('user-service');
  // Who leaves in order is no longer watched.
  await eventually(async () => {
    expect(await shown()).toEqual([]);
  });
});
