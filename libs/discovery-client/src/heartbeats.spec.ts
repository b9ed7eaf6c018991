import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fixture } from './testing/client-fixture.ts';
import { json } from './testing/fake-registry.ts';

const users = (port: number, heartbeatInterval = 10) => ({ name: 'users', port, heartbeatInterval });

/** Registers so many, each a while after the other. */
async function registered(count: number, gapMs = 700) {
  const fixed = fixture({ session: false, watch: false });
  const registrations = [];
  for (let port = 4000; port < 4000 + count; port++) {
    registrations.push(await fixed.client.register(users(port)));
    await fixed.time.advance(gapMs);
  }
  return { ...fixed, registrations };
}

const batchOf = ({ body }: { body: Record<string, unknown> | undefined }): number[] =>
  (body?.['heartbeats'] as { port: number }[]).map(({ port }) => port);

test('registrations of one process beat together, in one request', async () => {
  const { time, registry, client } = await registered(5);
  await time.advance(30_000);
  const batches = registry.calls('POST /heartbeats');
  expect(batches).toHaveLength(3);
  for (const batch of batches) expect(batchOf(batch).sort()).toEqual([4000, 4001, 4002, 4003, 4004]);
  expect(registry.calls('POST /heartbeat ')).toEqual([]);
  expect(registry.calls('POST /heartbeat').length).toBe(3);
  const beat = (batches[0]?.body?.['heartbeats'] as object[])[0];
  expect(beat).toMatchObject({ name: 'users', id: '127.0.0.1:4000', incarnation: expect.any(String) });
  await client.close();
});

test('one alone beats alone', async () => {
  const { time, registry, client } = await registered(1);
  await time.advance(30_000);
  expect(registry.calls('POST /heartbeats')).toEqual([]);
  expect(registry.calls('POST /heartbeat')).toHaveLength(3);
  await client.close();
});

test('however intervals and starts differ, nobody waits longer for its heartbeat than its interval and a tenth', async () => {
  const starts = fc.array(
    fc.record({ interval: fc.constantFrom(1, 2, 5), afterMs: fc.integer({ min: 0, max: 4000 }) }),
    { minLength: 2, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(starts, fc.integer(), async (services, seed) => {
      let state = seed;
      const random = () => ((state = (state * 1103515245 + 12345) & 0x7fffffff) >>> 0) / 0x80000000;
      const { time, registry, client } = fixture({ session: false, watch: false, random });
      const heardAt = new Map<number, number>();
      const intervals = new Map<number, number>();
      const look = (): void => {
        for (const { method, path, body, at } of registry.requests.splice(0)) {
          if (method !== 'POST') continue;
          const beats = (path === '/heartbeats' ? body?.['heartbeats'] : [body]) as { port: number }[];
          for (const { port } of beats) {
            const waitedMs = at - (heardAt.get(port) ?? at);
            expect(waitedMs).toBeLessThanOrEqual((intervals.get(port) ?? 0) * 1100 + 10.001);
            heardAt.set(port, at);
          }
        }
      };
      for (const [at, { interval, afterMs }] of services.entries()) {
        await time.advance(afterMs);
        intervals.set(4000 + at, interval);
        await client.register(users(4000 + at, interval));
      }
      await time.advance(20_000);
      look();
      for (const [port, interval] of intervals) {
        expect(time.now() - (heardAt.get(port) ?? -Infinity)).toBeLessThanOrEqual(interval * 1100 + 10);
      }
      await client.close();
    }),
    { numRuns: 30 },
  );
});

test('whom the registry does not know registers again, whom another process replaced ends, the others go on', async () => {
  const { time, registry, client, of } = await registered(3);
  registry.remove('users', '127.0.0.1:4000');
  const taken = registry.list('users').find(({ port }) => port === 4001);
  if (taken !== undefined) registry.upsert({ ...taken, incarnation: 'another' });
  await time.advance(12_000);
  expect(of('registration-lost')).toMatchObject([{ instance: { port: 4000 }, reason: 'unknown' }]);
  expect(of('superseded')).toMatchObject([{ instance: { port: 4001 } }]);
  expect(of('heartbeat-failed')).toEqual([]);
  expect(registry.list('users').map(({ port }) => port)).toEqual([4000, 4001, 4002]);
  registry.requests.length = 0;
  await time.advance(10_500);
  expect(registry.calls('POST /heartbeats').flatMap(batchOf).sort()).toEqual([4000, 4002]);
  await client.close();
});

test.each([
  ['does not know the route', () => json(404, { code: 'ERR_NOT_FOUND' })],
  ['answers something else', () => json(200, { results: [] })],
  ['refuses the whole', () => json(400, { code: 'ERR_VALIDATION' })],
])('a registry that %s hears them one by one', async (_, answer) => {
  const { time, registry, client, of } = await registered(3);
  registry.intercept = ({ path }) => (path === '/heartbeats' ? answer() : undefined);
  await time.advance(30_000);
  const single = registry.requests.filter(({ path }) => path === '/heartbeat');
  expect(
    single
      .map(({ body }) => body?.['port'])
      .slice(0, 3)
      .sort(),
  ).toEqual([4000, 4001, 4002]);
  expect(single).toHaveLength(9);
  expect(of('heartbeat-failed')).toEqual([]);
  await client.close();
});

test('a registry that is away is told to everybody, and all are heard again when it is back', async () => {
  const { time, registry, client, of } = await registered(3);
  registry.mode = 'down';
  await time.advance(12_000);
  expect(new Set(of('heartbeat-failed').map(({ instance }) => instance.port)).size).toBe(3);
  registry.mode = 'up';
  registry.requests.length = 0;
  await time.advance(11_000);
  const heard = registry
    .calls('POST /heartbeat')
    .flatMap(({ body, path }) => (path === '/heartbeats' ? batchOf({ body }) : [body?.['port']]));
  expect(new Set(heard).size).toBe(3);
  await client.close();
});

test('who leaves while the answer is awaited leaves at once, and the request ends with the last of them', async () => {
  const { time, registry, client, registrations } = await registered(2);
  registry.intercept = ({ path, signal }) =>
    path === '/heartbeats'
      ? new Promise((__, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error);
          });
        })
      : undefined;
  await time.advance(9_500);
  const [pending] = registry.calls('POST /heartbeats');
  await registrations[0]?.deregister();
  expect(pending?.signal.aborted).toBe(false);
  await registrations[1]?.deregister();
  expect(pending?.signal.aborted).toBe(true);
  expect(registry.list('users')).toEqual([]);
  await client.close();
});
