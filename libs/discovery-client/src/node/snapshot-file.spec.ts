/// <reference types="node" />
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instanceOf, json } from '../testing/fake-registry.ts';
import { createDiscoveryClient } from './create-discovery-client.ts';
import { snapshotFile } from './snapshot-file.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'snapshot-'));
  path = join(directory, 'deep', 'lists.snapshot');
});

afterEach(() => rm(directory, { recursive: true }));

test('what was written is read, by nobody else, and nothing else is left behind', async () => {
  const file = snapshotFile(path);
  expect(await file.read()).toBeUndefined();
  await file.write('first');
  await file.write('second, \u{1F600}\n');
  expect(await file.read()).toBe('second, \u{1F600}\n');
  expect(await readdir(join(directory, 'deep'))).toEqual(['lists.snapshot']);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a file that was cut off or changed anywhere is none', async () => {
  const file = snapshotFile(path);
  await file.write('{"version":1,"services":[]}');
  const bytes = await readFile(path);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const broken = Buffer.from(bytes);
      broken[at] = (broken[at] ?? 0) ^ change;
      await writeFile(path, broken);
      expect(await file.read()).toBeUndefined();
      await writeFile(path, bytes.subarray(0, at));
      expect(await file.read()).toBeUndefined();
    }),
    { numRuns: 100 },
  );
});

test('a file without end is not read', async () => {
  const file = snapshotFile(path);
  await file.write('');
  await truncate(path, 64 * 1024 * 1024);
  expect(await file.read()).toBeUndefined();
});

test('a place that cannot be written is told, and the old file stays', async () => {
  const file = snapshotFile(join(path, 'below', 'a-file'));
  await snapshotFile(path).write('old');
  await expect(file.write('new')).rejects.toMatchObject({ code: 'ENOTDIR' });
  expect(await snapshotFile(path).read()).toBe('old');
});

test('a client starts from the file of its predecessor while the registry is down', async () => {
  const instances = [instanceOf('users', 4000)];
  const up = (): Promise<Response> =>
    Promise.resolve(json(200, { name: 'users', instances, revision: 'e1:1' }));
  const former = createDiscoveryClient({ snapshotFile: path, watch: false, fetch: up });
  await former.resolve('users');
  await former.close();
  const down = (): Promise<Response> => Promise.reject(new TypeError('fetch failed'));
  const next = createDiscoveryClient({ snapshotFile: path, watch: false, fetch: down });
  expect(await next.resolve('users')).toMatchObject({ source: 'disk', instances });
  await next.close();
});
