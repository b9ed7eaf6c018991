import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isServiceName } from './service-name.ts';

test.each(['a', 'a1', '1a', 'user-service', 'a'.repeat(63), '0xg', 'local', 'constructor'])(
  '%s is a name',
  (name) => {
    expect(isServiceName(name)).toBe(true);
  },
);

test.each([
  '',
  'A',
  '-a',
  'a-',
  'a.b',
  'a_b',
  'a:1',
  'a/b',
  'a@b',
  '[::1]',
  'a'.repeat(64),
  'localhost',
  '127',
  '0',
  '0x',
  '0x7f',
  '\u00fc',
  'a\n',
])('%j is no name', (name) => {
  expect(isServiceName(name)).toBe(false);
});

test('every name is its own host for a URL parser', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?$/), (name) => {
      if (isServiceName(name) && !name.startsWith('xn--')) expect(new URL(`http://${name}/`).host).toBe(name);
    }),
    { numRuns: 1_000 },
  );
});
