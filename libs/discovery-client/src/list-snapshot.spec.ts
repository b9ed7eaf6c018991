import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Fixture } from './testing/client-fixture.ts';
import { fixture } from './testing/client-fixture.ts';
import type { DiscoveryClientOptions } from './discovery-client-options.ts';
import type { SnapshotStore } from './list-snapshot.ts';
import { instanceOf } from './testing/fake-registry.ts';
import { settle } from './testing/settle.ts';

afterEach(settle);

/** A disk of one text. */
class Disk implements SnapshotStore {
  text: string | undefined;
  writes = 0;
  fault: Error | undefined;

  read(): Promise<string | undefined> {
    return this.fault ? Promise.reject(this.fault) : Promise.resolve(this.text);
  }

  write(text: string): Promise<void> {
    if (this.fault) return Promise.reject(this.fault);
    this.writes += 1;
    this.text = text;
    return Promise.resolve();
  }
}

const day = 24 * 3600_000;

/** A process that wrote down three users, an hour before the next one begins. */
async function former(disk: Disk): Promise<Fixture['registry']> {
  const all = fixture({ snapshot: disk, wallClock: { now: () => 1_000_000 } });
  for (const port of [4000, 4001, 4002]) all.registry.upsert(instanceOf('users', port));
  await all.client.resolve('users');
  await all.client.close();
  return all.registry;
}

function next(disk: Disk, options: DiscoveryClientOptions = {}): Fixture {
  return fixture({ snapshot: disk, wallClock: { now: () => 1_000_000 + 3600_000 }, ...options });
}

test('a cold boot without a registry serves what the former process knew, and says how old it is', async () => {
  const disk = new Disk();
  await former(disk);
  const { client, registry, time } = next(disk);
  registry.mode = 'down';
  const { instances, source, ageMs, revision } = await client.resolve('users');
  expect(instances.map(({ port }) => port)).toEqual([4000, 4001, 4002]);
  expect({ source, ageMs, revision }).toEqual({ source: 'disk', ageMs: 3600_000, revision: 'e1:3' });
  expect(client.peek('users')?.source).toBe('disk');
  expect(client.cache()).toMatchObject([{ name: 'users', source: 'disk', ttlMs: 0 }]);
  await time.advance(1000);
  expect(client.peek('users')?.ageMs).toBe(3601_000);
  await client.close();
});

test('a registry that answers is believed; the disk is not even read', async () => {
  const disk = new Disk();
  await former(disk);
  disk.fault = new Error('must not be read');
  const { client, registry, of } = next(disk, { watch: false });
  registry.upsert(instanceOf('users', 4009));
  const { instances, source } = await client.resolve('users');
  expect([instances.map(({ port }) => port), source]).toEqual([[4009], 'fresh']);
  expect(of('snapshot-failed')).toEqual([]);
  disk.fault = undefined;
  await client.close();
});

test('a registry that hangs costs a second, not requestTimeout, however many wait', async () => {
  const disk = new Disk();
  await former(disk);
  const { client, registry, time } = next(disk);
  registry.mode = 'hang';
  const answers = Promise.all(Array.from({ length: 1000 }, () => client.resolve('users')));
  await time.advance(1000);
  expect(new Set((await answers).map(({ source }) => source))).toEqual(new Set(['disk']));
  expect(registry.calls('GET /services/users')).toHaveLength(1);
  await client.close();
});

test('the registry that comes back after a cold boot takes over, and keeps who it does not know yet for one lease', async () => {
  const disk = new Disk();
  await former(disk);
  const { client, registry, time, of } = next(disk);
  registry.mode = 'down';
  await client.resolve('users');
  registry.mode = 'up';
  registry.restart();
  registry.upsert(instanceOf('users', 4000));
  await time.advance(2000);
  client.peek('users');
  await time.advance(2000);
  expect(client.peek('users')).toMatchObject({ source: 'fresh' });
  expect(client.peek('users')?.instances).toHaveLength(3);
  expect(of('held')).toHaveLength(1);
  for (let passed = 0; passed < 60; passed += 5) {
    registry.bookmark();
    await time.advance(5000);
  }
  expect(client.peek('users')?.instances).toHaveLength(1);
  await client.close();
});

test('the same run of the registry is believed at once about who left meanwhile', async () => {
  const disk = new Disk();
  const registryBefore = await former(disk);
  const all = next(disk, { fetch: registryBefore.fetch });
  registryBefore.mode = 'down';
  await all.client.resolve('users');
  registryBefore.remove('users', '127.0.0.1:4000');
  registryBefore.mode = 'up';
  await all.time.advance(2000);
  expect(all.client.peek('users')?.instances).toHaveLength(2);
  await all.client.close();
});

test('what is older than staleIfErrorMs is not served, and a clock that was set back makes nothing younger than it is', async () => {
  const disk = new Disk();
  await former(disk);
  const tomorrow = next(disk, { wallClock: { now: () => 1_000_000 + day + 1 } });
  tomorrow.registry.mode = 'down';
  await expect(tomorrow.client.resolve('users')).rejects.toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE' });
  const yesterday = next(disk, { wallClock: { now: () => 1_000_000 - day } });
  yesterday.registry.mode = 'down';
  expect((await yesterday.client.resolve('users')).ageMs).toBe(0);
  await Promise.all([tomorrow.client.close(), yesterday.client.close()]);
});

test('changes are gathered for a second, ages for a minute, and closing writes what is due', async () => {
  const disk = new Disk();
  const { client, registry, time } = fixture({ snapshot: disk, watch: false });
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  registry.upsert(instanceOf('orders', 5000));
  await client.resolve('orders');
  await time.advance(999);
  expect(disk.writes).toBe(0);
  await time.advance(1);
  expect(disk.writes).toBe(1);
  await time.advance(66_000);
  client.peek('users');
  await time.advance(60_000);
  expect(disk.writes).toBe(2);
  registry.upsert(instanceOf('users', 4001));
  client.peek('users');
  await settle();
  await client.close();
  expect(disk.writes).toBe(3);
  expect(disk.text).toContain('"port":4001');
  expect(time.pending).toBe(0);
});

test('a full disk is an event and nothing else', async () => {
  const disk = new Disk();
  disk.fault = new Error('ENOSPC');
  const { client, registry, time, of } = fixture({ snapshot: disk });
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await time.advance(1000);
  expect(of('snapshot-failed')).toMatchObject([{ error: { message: 'ENOSPC' } }]);
  expect((await client.resolve('users')).instances).toHaveLength(1);
  await client.close();
});

test('whatever is on the disk, a registry that is down is told as such and nothing breaks', async () => {
  const json = fc.json({ maxDepth: 4 });
  const near = fc.record({
    version: fc.constant(1),
    savedAt: fc.constant(1_000_000),
    services: fc.jsonValue(),
  });
  const text = fc.oneof(
    fc.string(),
    json,
    near.map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(text, async (written) => {
      const disk = new Disk();
      disk.text = written;
      const { client, registry } = next(disk);
      registry.mode = 'down';
      await expect(client.resolve('users')).rejects.toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE' });
      await client.close();
    }),
    { numRuns: 200 },
  );
});
