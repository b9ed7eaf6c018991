import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { endToEnd, isHopByHop, isMeshOwned } from './hop-headers.ts';

const names = [
  'X-A',
  'x-a',
  'X-B',
  'Connection',
  'TE',
  'Keep-Alive',
  'Host',
  'Authorization',
  'Content-Length',
  'X-Forwarded-For',
  'Upgrade',
];
const pair = fc.tuple(
  fc.constantFrom(...names),
  fc.oneof(
    fc.constantFrom('v', ''),
    fc.subarray(names).map((nominated) => nominated.join(' , ')),
  ),
);
const never = new Set(['host', 'authorization', 'content-length', 'x-forwarded-for']);

test('keeps everything in order but what belongs to the connection or was named by it', () => {
  fc.assert(
    fc.property(fc.array(pair), (pairs) => {
      const nominated = pairs
        .filter(([name]) => name.toLowerCase() === 'connection')
        .flatMap(([, value]) =>
          value
            .toLowerCase()
            .split(',')
            .map((token) => token.trim()),
        )
        .filter((token) => !never.has(token));
      const expected = pairs.filter(
        ([name]) => !isHopByHop(name.toLowerCase()) && !nominated.includes(name.toLowerCase()),
      );
      expect(endToEnd(pairs.flat(), () => false)).toEqual(expected.flat());
    }),
  );
});

test('leaves out what the caller of it refuses', () => {
  expect(endToEnd(['X-A', '1', 'x-b', '2', 'X-a', '3'], (name) => name === 'x-a')).toEqual(['x-b', '2']);
});

test.each([
  'cookie',
  'set-cookie',
  'content-type',
  'access-control-allow-origin',
  'cache-control',
  'x-mesh-user',
  'traceparent',
  'via',
  'idempotency-key',
])('Connection cannot take %s away', (name) => {
  expect(endToEnd(['Connection', name, name, 'v'], () => false)).toEqual([name, 'v']);
});

test('an odd list of pairs loses its odd end', () => {
  expect(endToEnd(['a', '1', 'b'], () => false)).toEqual(['a', '1']);
});

test.each([
  'x-forwarded-for',
  'x_forwarded_for',
  'x-forwarded_proto',
  'forwarded',
  'x-real-ip',
  'x_real_ip',
  'x-mesh-anything',
  'traceparent',
  'x-instance',
])('%s is the mesh’s own', (name) => {
  expect(isMeshOwned(name)).toBe(true);
});

test.each(['x-forwarded', 'x-user', 'authorization', 'constructor', '__proto__'])('%s is not', (name) => {
  expect(isMeshOwned(name)).toBe(false);
});
