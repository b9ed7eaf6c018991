import { afterEach, expect, test } from '@jest/globals';
import type { DiscoveryClient } from './discovery-client.ts';
import type { Resolution } from './instance.ts';
import { fixture } from './testing/client-fixture.ts';
import { instanceOf } from './testing/fake-registry.ts';
import { settle } from './testing/settle.ts';

afterEach(settle);

const ports = (instances: readonly { readonly port: number }[] | undefined): number[] | undefined =>
  instances?.map(({ port }) => port);

/** The watch of the users, turn by turn. */
function turns(client: DiscoveryClient): AsyncIterator<Resolution, undefined> {
  return client.watch('users')[Symbol.asyncIterator]() as AsyncIterator<Resolution, undefined>;
}

test('a store is empty at first, tells of each change once, and its snapshot is the same in between', async () => {
  const { client, registry, time } = fixture();
  const store = client.store('users');
  expect(store.getSnapshot()).toEqual([]);
  expect(store.getSnapshot()).toBe(client.store('users').getSnapshot());
  const told: (number[] | undefined)[] = [];
  const unsubscribe = store.subscribe(() => told.push(ports(store.getSnapshot())));
  await time.advance(100);
  registry.upsert(instanceOf('users', 4000));
  await settle();
  const snapshot = store.getSnapshot();
  registry.bookmark();
  registry.upsert(instanceOf('users', 4000));
  await settle();
  expect(store.getSnapshot()).toBe(snapshot);
  registry.upsert(instanceOf('users', 4001));
  await settle();
  expect(told).toEqual([[4000], [4000, 4001]]);
  unsubscribe();
  unsubscribe();
  registry.upsert(instanceOf('users', 4002));
  await settle();
  expect(told).toHaveLength(2);
  await client.close();
  expect(time.pending).toBe(0);
});

test('a filtered store is not told what it is not about', async () => {
  const { client, registry, time } = fixture();
  const store = client.store('users', { zone: 'a' });
  let told = 0;
  store.subscribe(() => (told += 1));
  await time.advance(100);
  registry.upsert(instanceOf('users', 4000, { zone: 'b' }));
  await settle();
  expect(told).toBe(0);
  registry.upsert(instanceOf('users', 4001, { zone: 'a' }));
  await settle();
  expect([told, ports(store.getSnapshot())]).toEqual([1, [4001]]);
  await client.close();
});

test('a subscriber keeps a list up to date without a watch and without anybody asking', async () => {
  const { client, registry, time } = fixture({ watch: false });
  registry.upsert(instanceOf('users', 4000));
  const store = client.store('users');
  store.subscribe(() => undefined);
  await time.advance(1000);
  registry.upsert(instanceOf('users', 4001));
  await time.advance(61_000);
  // Looked at after the refresh, or the look itself would be what refreshed it.
  expect(registry.calls('GET /services/users')).toHaveLength(2);
  expect(ports(store.getSnapshot())).toEqual([4000, 4001]);
  await client.close();
  expect(time.pending).toBe(0);
});

test('a name that nobody has is watched for a subscriber, so that the first instance is news at once', async () => {
  const { client, registry, time } = fixture();
  const store = client.store('users');
  store.subscribe(() => undefined);
  await time.advance(100);
  expect(registry.calls('GET /watch').map(({ path }) => path)).toEqual(['/watch?services=users']);
  registry.upsert(instanceOf('users', 4000));
  await settle();
  expect(ports(store.getSnapshot())).toEqual([4000]);
  await client.close();
});

test('a listener that throws takes nothing away from the next one; one that subscribed twice is called twice', async () => {
  const { client, registry, time } = fixture();
  const store = client.store('users');
  let told = 0;
  const count = (): void => {
    told += 1;
  };
  store.subscribe(() => {
    throw new Error('listener');
  });
  store.subscribe(count);
  const end = store.subscribe(count);
  await time.advance(100);
  registry.upsert(instanceOf('users', 4000));
  await settle();
  expect(told).toBe(2);
  end();
  registry.upsert(instanceOf('users', 4001));
  await settle();
  expect(told).toBe(3);
  await client.close();
});

test('a name that no registry can know has a store that stays empty', async () => {
  const { client, time } = fixture();
  const store = client.store('../admin');
  store.subscribe(() => undefined)();
  await time.advance(60_000);
  expect(store.getSnapshot()).toEqual([]);
  await client.close();
});

test('watching begins with the list as soon as there is one, and goes on until the signal', async () => {
  const { client, registry, time } = fixture();
  registry.mode = 'down';
  const leaving = new AbortController();
  const seen: (number[] | undefined)[] = [];
  const watching = (async () => {
    for await (const { instances } of client.watch('users', { signal: leaving.signal }))
      seen.push(ports(instances));
    return 'ended';
  })();
  await time.advance(5000);
  expect(seen).toEqual([]);
  registry.mode = 'up';
  await time.advance(5000);
  expect(seen).toEqual([[]]);
  registry.upsert(instanceOf('users', 4000));
  await settle();
  registry.upsert(instanceOf('users', 4001));
  registry.upsert(instanceOf('users', 4002));
  await settle();
  expect([seen[1], seen.at(-1)]).toEqual([[4000], [4000, 4001, 4002]]);
  leaving.abort();
  expect(await watching).toBe('ended');
  await client.close();
  expect(time.pending).toBe(0);
});

test('who watches slowly sees the last state and not every one', async () => {
  const { client, registry, time } = fixture();
  registry.upsert(instanceOf('users', 4000));
  const iterator = turns(client);
  const first = iterator.next();
  await time.advance(100);
  expect((await first).value?.instances).toHaveLength(1);
  for (let port = 4001; port <= 4100; port++) registry.upsert(instanceOf('users', port));
  await settle();
  expect((await iterator.next()).value?.instances).toHaveLength(101);
  await iterator.return?.();
  await client.close();
});

test('closing the client ends every watch with its code', async () => {
  const { client, time } = fixture();
  const iterator = turns(client);
  const first = iterator.next();
  await time.advance(100);
  await first;
  const second = iterator.next();
  await client.close();
  await expect(second).rejects.toMatchObject({ code: 'ERR_DISCOVERY_CLOSED', name: 'AbortError' });
});

test('ten thousand watches that come and go leave nothing behind', async () => {
  const { client, registry, time } = fixture();
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await time.advance(1000);
  const pending = time.pending;
  for (let turn = 0; turn < 10_000; turn++) {
    for await (const { instances } of client.watch('users')) {
      expect(instances).toHaveLength(1);
      break;
    }
  }
  expect(time.pending).toBe(pending);
  await client.close();
});
