import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { InstanceFilter } from './instance-filter.ts';
import { fixture } from './testing/client-fixture.ts';
import { instanceOf } from './testing/fake-registry.ts';
import { settle } from './testing/settle.ts';

afterEach(settle);

const instances = [
  instanceOf('users', 4000, { zone: 'a', version: '1.0.0' }),
  instanceOf('users', 4001, { zone: 'a', version: '1.5.0', metadata: { canary: 'yes', disk: 'ssd' } }),
  instanceOf('users', 4002, { zone: 'b', version: '2.0.0' }),
  instanceOf('users', 4003, { metadata: { zone: 'b', version: '1.7.0' } }),
];

function known(count = 0) {
  const all = fixture({ watch: false });
  for (const instance of instances) all.registry.upsert(instance);
  for (let more = 0; more < count; more++) all.registry.upsert(instanceOf('users', 5000 + more));
  return all;
}

test.each<[InstanceFilter, number[]]>([
  [{}, [4000, 4001, 4002, 4003]],
  [{ zone: 'a' }, [4000, 4001]],
  [{ zone: 'b' }, [4002, 4003]],
  [{ version: '^1.5' }, [4001, 4003]],
  [{ metadata: { canary: 'yes' } }, [4001]],
  [{ metadata: { canary: 'yes', disk: 'hdd' } }, []],
  [{ metadata: { toString: 'x' } }, []],
  [{ zone: 'a', version: '1.0' }, [4000]],
])('%j leaves %j', async (filter, ports) => {
  const { client } = known();
  const { instances: found, revision, source, ageMs } = await client.resolve('users', filter);
  expect(found.map(({ port }) => port)).toEqual(ports);
  expect({ revision, source, ageMs }).toEqual({ revision: 'e1:4', source: 'fresh', ageMs: 0 });
  await client.close();
});

test('the same question has the same answer until something changes that it is about', async () => {
  const { client, registry, time } = known();
  const first = await client.resolve('users', { zone: 'a' });
  expect(await client.resolve('users', { zone: 'a' })).toBe(first);
  expect(Object.isFrozen(first.instances)).toBe(true);
  registry.upsert(instanceOf('users', 4009, { zone: 'b' }));
  await time.advance(70_000);
  client.peek('users');
  await settle();
  expect((await client.resolve('users', { zone: 'b' })).instances).toHaveLength(3);
  expect(client.peek('users', { zone: 'a' })?.instances).toBe(first.instances);
  await client.close();
});

test('a limit gives each client others, and one that comes or goes changes one place at most', async () => {
  const clients = Array.from({ length: 8 }, () => known(40));
  const choices = await Promise.all(
    clients.map(async ({ client }) => {
      const { instances: found } = await client.resolve('users', { limit: 5 });
      return found.map(({ id }) => id);
    }),
  );
  expect(choices.every((ids) => ids.length === 5 && new Set(ids).size === 5)).toBe(true);
  expect(new Set(choices.map((ids) => ids.join())).size).toBeGreaterThan(1);
  const { client, registry, time } = clients[0]!;
  const chosen = new Set(choices[0]);
  registry.remove('users', choices[0]![0]!);
  await time.advance(70_000);
  client.peek('users');
  await settle();
  const { instances: after } = await client.resolve('users', { limit: 5 });
  expect(after.filter(({ id }) => chosen.has(id))).toHaveLength(4);
  await Promise.all(clients.map((one) => one.client.close()));
});

test.each([{ limit: 0 }, { limit: 1.5 }, { version: 'newest' }])('%j is refused by name', async (filter) => {
  const { client } = known();
  await expect(client.resolve('users', filter)).rejects.toThrow(RangeError);
  expect(() => client.store('users', filter)).toThrow(RangeError);
  expect(() => client.watch('users', filter)).toThrow(RangeError);
  await client.close();
});

test('ten thousand different questions are answered and not all remembered', async () => {
  const { client } = known();
  await client.resolve('users');
  const first = client.peek('users', { metadata: { key: '0' } });
  for (let key = 0; key < 10_000; key++) client.peek('users', { metadata: { key: String(key) } });
  expect(client.peek('users', { metadata: { key: '0' } })).not.toBe(first);
  await client.close();
});

test('any filter answers a part of the list, in its order', async () => {
  const { client } = known(10);
  const { instances: all } = await client.resolve('users');
  const filter = fc.record(
    {
      zone: fc.constantFrom('a', 'b', 'c'),
      version: fc.constantFrom('1', '^1.5', '>=2'),
      metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 1 }),
      limit: fc.integer({ min: 1, max: 20 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(filter, (wanted) => {
      const part = client.peek('users', wanted)?.instances ?? [];
      expect(part).toEqual(all.filter((instance) => part.includes(instance)));
      expect(part.length).toBeLessThanOrEqual(wanted.limit ?? all.length);
    }),
  );
  await client.close();
});
