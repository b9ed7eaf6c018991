import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DiskStore } from './disk-store.ts';
import type { DiskStoreOptions } from './disk-store.ts';
import { Registry } from './registry.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-store-'));
  path = join(folder, 'registry.snapshot');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs a registry with a store; what is done in `during` is on disk afterwards. */
async function run(during: (registry: Registry) => unknown, options: DiskStoreOptions = {}) {
  const registry = new Registry();
  const troubles: unknown[] = [];
  const store = new DiskStore(path, {
    onTrouble: (error) => troubles.push((error as { code?: unknown } | undefined)?.code),
    ...options,
  });
  await store.attach(registry);
  const found = registry.list('any');
  await during(registry);
  await store.close();
  registry.close();
  return { registry, found, troubles, isConnected: store.isConnected };
}

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const users = { name: 'user-service', host: '127.0.0.1', port: 4000 };

test('a restart loses nobody, nothing that was decided, and no memory of who was replaced', async () => {
  await run((registry) => {
    registry.register({ ...users, incarnation: 'first', weight: 2, zone: 'a', version: '1.2.3' });
    registry.register({
      ...users,
      incarnation: 'second',
      weight: 3,
      healthCheckUrl: 'http://localhost:4000/',
    });
    registry.register({ ...users, namespace: 'test', port: 4001, metadata: { a: 'ü\n' } });
    registry.override('user-service', '127.0.0.1:4000', { weight: 9 });
    registry.override('gone-service', 'x', { status: 'maintenance' });
    registry.register({ ...users, port: 4002 });
    registry.deregister({ ...users, port: 4002 });
  });
  const { registry, found, troubles } = await run((restarted) => {
    expect(() => restarted.heartbeat({ ...users, incarnation: 'first' })).toThrow('another process');
    expect(restarted.heartbeat({ ...users, incarnation: 'second' }).lease.durationMs).toBe(45_000);
    expect(restarted.override('user-service', '127.0.0.1:4000', { weight: null })).toEqual({});
  });
  expect(found).toMatchObject([
    { name: 'user-service', namespace: 'test', instances: [{ port: 4001, metadata: { a: 'ü\n' } }] },
    { name: 'user-service', instances: [{ incarnation: 'second', weight: 9 }] },
  ]);
  expect(registry.overrides()).toEqual([{ service: 'gone-service', id: 'x', status: 'maintenance' }]);
  expect(registry.find('user-service')?.instances[0]?.weight).toBe(3);
  expect(troubles).toEqual([]);
  expect(await readdir(folder)).toEqual(['registry.snapshot']);
});

test('a full disk: it warns once, goes on, keeps the old file, and catches up when there is room', async () => {
  await run((registry) => registry.register(users));
  const before = await readFile(path, 'utf8');
  // Whatever is written to this device fails with ENOSPC, as on a full disk.
  await symlink('/dev/full', `${path}.tmp`);
  const registry = new Registry();
  const troubles: unknown[] = [];
  const store = new DiskStore(path, {
    writeDelayMs: 0,
    onTrouble: (error) => troubles.push((error as { code?: unknown } | undefined)?.code),
    // A failure is tried again at once, so that nobody has to wait here.
    timers: {
      set: (callback) => setTimeout(callback, 5),
      clear: (handle) => {
        clearTimeout(handle as NodeJS.Timeout);
      },
    },
  });
  await store.attach(registry);
  registry.register({ ...users, port: 4001 });
  await until(() => !store.isConnected);
  expect(registry.size).toBe(2);
  expect(await readFile(path, 'utf8')).toBe(before);
  // The failed write took the device away with it, so that the next one has room.
  await until(() => store.isConnected);
  await store.close();
  expect(troubles).toEqual(['ENOSPC', undefined]);
  expect((await run(() => undefined)).found[0]?.instances).toHaveLength(2);
});

test('a folder that is not there is made', async () => {
  path = join(folder, 'new', 'registry.snapshot');
  expect((await run((started) => started.register(users))).troubles).toEqual([]);
  expect((await run(() => undefined)).found).toMatchObject([{ instances: [{ port: 4000 }] }]);
});

test('a folder that cannot be: it warns and goes on', async () => {
  await writeFile(join(folder, 'file'), '');
  path = join(folder, 'file', 'registry.snapshot');
  const { troubles, registry } = await run((started) => started.register(users));
  expect(troubles).toEqual(['ENOTDIR']);
  expect(registry.size).toBe(1);
});

test('too large a registry is not written', async () => {
  const { troubles } = await run(
    (registry) => {
      for (let port = 4000; port < 4010; port++) registry.register({ ...users, port });
    },
    { maximumBytes: 1024 },
  );
  expect(troubles).toEqual(['ERR_SNAPSHOT']);
  expect(await readdir(folder)).toEqual([]);
});

test('a file that is cut off or changed anywhere is put aside, never half believed', async () => {
  await run((registry) => {
    for (let port = 4000; port < 4005; port++) registry.register({ ...users, port });
  });
  const whole = await readFile(path);
  const damage = fc.record({
    at: fc.nat(whole.length - 1),
    isCut: fc.boolean(),
    flip: fc.integer({ min: 1, max: 255 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, isCut, flip }) => {
      const damaged = isCut ? whole.subarray(0, at) : Buffer.from(whole);
      if (!isCut) damaged[at] = (damaged[at] ?? 0) ^ flip;
      await writeFile(path, damaged);
      const { found, troubles } = await run(() => undefined);
      // The line feed at the very end may be missing: all that it ends is there.
      if (troubles.length === 0) expect(found[0]?.instances).toHaveLength(5);
      else {
        expect(troubles[0]).toBe('ERR_SNAPSHOT');
        expect(found).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
}, 30_000);

test('an empty file and one of a later version are put aside', async () => {
  for (const text of ['', '\n', '{}\n{}\n', 'null\nnull\n']) {
    await writeFile(path, text);
    expect((await run(() => undefined)).troubles[0]).toBe('ERR_SNAPSHOT');
  }
});

test('many changes at once are one write, and none is no write', async () => {
  const timers: (() => void)[] = [];
  const store = new DiskStore(path, {
    timers: { set: (callback) => timers.push(callback), clear: () => undefined },
  });
  const registry = new Registry();
  await store.attach(registry);
  for (let port = 4000; port < 4100; port++) registry.register({ ...users, port });
  registry.heartbeat(users);
  expect(timers).toHaveLength(1);
  await store.close();
  registry.close();
});

test.each([
  [{ writeDelayMs: -1 }, 'diskStore: writeDelayMs must be an integer from 0 to 3600000, got -1'],
  [{ maximumBytes: 1 }, 'diskStore: maximumBytes must be an integer from 1024 to 2147483648, got 1'],
])('%j is a RangeError', (options, message) => {
  expect(() => new DiskStore(path, options)).toThrow(new RangeError(message));
});
