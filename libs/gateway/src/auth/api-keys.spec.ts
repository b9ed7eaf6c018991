import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import { createApiKey, hashApiKey } from './api-key.ts';
import { ApiKeys, readApiKeys, type ApiKeyRecord } from './api-keys.ts';

const made = createApiKey();
const record: ApiKeyRecord = { id: made.id, hash: made.hash, scopes: ['orders:read'] };

test('a key says who calls', () => {
  expect(new ApiKeys([{ ...record, subject: 'shop' }]).check(made.key)).toEqual({
    subject: 'shop',
    scopes: ['orders:read'],
    by: 'api-key',
    claims: {},
  });
  expect(new ApiKeys([record]).check(made.key)).toMatchObject({ subject: made.id });
});

test('a key has a prefix, its id and 256 random bits; only its hash is kept', () => {
  expect(made.key).toMatch(/^mesh_[0-9a-f]{16}_[\w-]{43}$/);
  expect(made.hash).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(hashApiKey(made.key)).toBe(made.hash);
  expect(createApiKey('shop', 'web-1').key).toMatch(/^shop_web-1_/);
  expect(createApiKey().key).not.toBe(createApiKey().key);
});

test('nothing but the whole key opens', () => {
  const keys = new ApiKeys([record]);
  const wrong = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.nat(made.key.length - 1).map((length) => made.key.slice(0, length)),
    fc.string({ minLength: 1 }).map((more) => made.key + more),
    fc.nat(made.key.length - 1).map((at) => made.key.slice(0, at) + '~' + made.key.slice(at + 1)),
    fc.constantFrom(
      '',
      '_',
      '__',
      '___',
      `_${made.id}_`,
      `mesh_${made.id}_`,
      made.hash,
      made.id,
      'mesh___proto___x',
    ),
    fc.constant(createApiKey('mesh', made.id).key),
  );
  fc.assert(
    fc.property(wrong, (text) => {
      expect(keys.check(text)).toBe('invalid');
    }),
    { numRuns: 1_000 },
  );
});

test('the compare takes the same time for any key, also of an unknown id', async () => {
  const crypto = await import('node:crypto');
  const timingSafeEqual = jest.fn(crypto.timingSafeEqual);
  jest.unstable_mockModule('node:crypto', () => ({ ...crypto, timingSafeEqual }));
  const fresh = './api-keys.ts?watched';
  const watched = (await import(fresh)) as { ApiKeys: typeof ApiKeys };
  const keys = new watched.ApiKeys([record]);
  for (const key of [made.key, `${made.key}x`, 'mesh_unknown_x', '', 'x']) keys.check(key);
  expect(timingSafeEqual).toHaveBeenCalledTimes(5);
  for (const [one, other] of timingSafeEqual.mock.calls)
    expect([one.byteLength, other.byteLength]).toEqual([32, 32]);
});

test('a key ends, and can be switched off', () => {
  const time = new VirtualTime({ wallStartMs: Date.UTC(2026, 0, 1) });
  const keys = new ApiKeys([{ ...record, expiresAt: '2026-01-01T00:00:10Z' }], time.wallClock);
  time.advanceSync(9_999);
  expect(keys.check(made.key)).toMatchObject({ by: 'api-key' });
  time.advanceSync(1);
  expect(keys.check(made.key)).toBe('invalid');
  expect(new ApiKeys([{ ...record, enabled: false }]).check(made.key)).toBe('invalid');
});

test('all keys change at once, or none', () => {
  const keys = new ApiKeys([record]);
  const next = createApiKey();
  expect(() => {
    keys.replace([
      { id: next.id, hash: next.hash },
      { id: 'x', hash: 'plain' },
    ]);
  }).toThrow('hashApiKey');
  expect(keys.check(made.key)).toMatchObject({ by: 'api-key' });
  keys.replace([{ id: next.id, hash: next.hash }]);
  expect([keys.check(made.key), keys.size]).toEqual(['invalid', 1]);
  expect(keys.check(next.key)).toMatchObject({ subject: next.id, scopes: [] });
});

describe('a file of keys', () => {
  test('is read and checked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mesh-keys-'));
    try {
      const file = join(folder, 'keys.json');
      await writeFile(file, JSON.stringify({ keys: [record] }));
      expect(new ApiKeys(await readApiKeys(file)).check(made.key)).toMatchObject({ subject: made.id });
      await writeFile(file, JSON.stringify({ keys: [{ ...record, key: made.key }] }));
      await expect(readApiKeys(file)).rejects.toThrow('key');
      await expect(readApiKeys(join(folder, 'none.json'))).rejects.toThrow('ENOENT');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('an id that is there twice is refused', () => {
    expect(() => new ApiKeys([record, record])).toThrow(`id ${made.id} is there twice`);
  });
});

test.each([
  ['prefix', () => createApiKey('My_Key')],
  ['prefix', () => createApiKey('')],
  ['id', () => createApiKey('mesh', 'a_b')],
  ['id', () => createApiKey('mesh', '')],
])('%s must be plain', (name, make) => {
  expect(make).toThrow(RangeError);
  expect(make).toThrow(`apiKey: ${name} must be`);
});
