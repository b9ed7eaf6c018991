import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Instance } from './instance.ts';
import { combineHash, emptyHash, formatHash, instanceHash } from './set-hash.ts';

const instance: Instance = {
  id: 'a',
  name: 'user-service',
  host: '127.0.0.1',
  port: 4000,
  weight: 1,
  metadata: { b: '2', a: '1' },
  status: 'up',
  heartbeatInterval: 30,
  incarnation: 'first',
  registeredAt: '2026-01-01T00:00:00.000Z',
  lastHeartbeat: '2026-01-01T00:00:00.000Z',
};

const hashOf = (instances: readonly Instance[]) =>
  formatHash(instances.map(instanceHash).reduce(combineHash, emptyHash));

test('is part of the wire protocol: it must not change', () => {
  expect(hashOf([])).toBe('0000000000000000');
  expect(hashOf([instance])).toBe('5d7b9f7f0076a2bd');
});

test.each<Partial<Instance>>([
  { id: 'b' },
  { host: '127.0.0.2' },
  { port: 4001 },
  { incarnation: 'second' },
  { status: 'draining' },
  { weight: 2 },
  { zone: 'a' },
  { version: '1.0.0' },
  { metadata: { a: '1', b: '3' } },
])('%j makes another hash', (difference) => {
  expect(hashOf([{ ...instance, ...difference }])).not.toBe(hashOf([instance]));
});

test('neither times nor the order of keys matter', () => {
  const same = { ...instance, lastHeartbeat: '', registeredAt: '', metadata: { a: '1', b: '2' } };
  expect(hashOf([same])).toBe(hashOf([instance]));
});

test('adding and taking out in any order comes to the same', () => {
  const sets = fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sets, fc.integer({ min: 0, max: 19 }), (ports, leaves) => {
      const all = ports.map((port) => ({ ...instance, id: `i${port}`, port }));
      const rest = all.filter((_, at) => at !== leaves);
      const gone = all.slice(leaves, leaves + 1);
      const came = [...all].reverse().map(instanceHash).reduce(combineHash, emptyHash);
      expect(formatHash(gone.map(instanceHash).reduce(combineHash, came))).toBe(hashOf(rest));
    }),
    { numRuns: 100 },
  );
});
