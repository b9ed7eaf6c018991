import { expect, test } from '@jest/globals';
import { DiskStore } from './disk-store.ts';
import { openStore } from './open-store.ts';
import { RedisStore } from './redis-store.ts';

test('a URL names the store', () => {
  expect(openStore('memory:')).toBeUndefined();
  expect(openStore('file:///var/lib/mesh/registry.snapshot')).toBeInstanceOf(DiskStore);
  expect(openStore('redis://127.0.0.1:6379')).toBeInstanceOf(RedisStore);
  expect(openStore('rediss://redis.example')).toBeInstanceOf(RedisStore);
});

test.each(['', 'nonsense', 'http://localhost', 'etcd://localhost'])('%j names none', (url) => {
  expect(() => openStore(url)).toThrow(`openStore: url must begin with memory:`);
});
