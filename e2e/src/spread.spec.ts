import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DiscoveryClient } from '@mesh/discovery-client';
import { createServiceClient, type ServiceClient } from '@mesh/service-client';
import { startMesh, type RunningMesh } from './running-mesh.ts';

const requests = 300;
let mesh: RunningMesh;
let discovery: DiscoveryClient;

beforeAll(async () => {
  mesh = await startMesh();
  discovery = new DiscoveryClient({ serverUrl: mesh.url('discovery') });
});
afterAll(async () => {
  await discovery.close();
  await mesh.stop();
});

async function spread(client: ServiceClient, concurrency: number): Promise<number[]> {
  const counts = new Map<string, number>();
  for (let sent = 0; sent < requests; sent += concurrency) {
    const batch = Array.from({ length: concurrency }, () =>
      client.json({ service: 'user-service', path: '/users' }),
    );
    for (const { instance } of await Promise.all(batch))
      counts.set(instance, (counts.get(instance) ?? 0) + 1);
  }
  return [...counts.values()];
}

/**
 * 300 requests over 3 instances, 100 expected each. Round robin is exact. Random: sigma = sqrt(300 * 1/3 * 2/3) = 8.2,
 * so 100 +- 41 (5 sigma) fails by chance once in a million runs. Least connections in batches of 30 keeps the three
 * within the ties of each batch. Weighted and adaptive follow the response times, so only starvation is excluded: each
 * gets at least 10 %.
 */
test.each([
  ['round-robin', 100, 100],
  ['random', 59, 141],
  ['least-connections', 59, 141],
  ['weighted', 30, 240],
  ['adaptive', 30, 240],
] as const)('%s: every instance gets between %i and %i of 300', async (strategy, least, most) => {
  const client = createServiceClient({ discovery, strategy });
  const counts = await spread(client, 30);
  await client.close();
  console.info(`${strategy}: ${counts.join(' / ')}`);
  expect(counts).toHaveLength(3);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(least);
  expect(Math.max(...counts)).toBeLessThanOrEqual(most);
});
