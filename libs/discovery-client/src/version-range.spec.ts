import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { inVersionRange } from './version-range.ts';

test.each([
  ['1', '1.0.0', '1.9.9', '2.0.0'],
  ['1.4', '1.4.0', '1.4.9', '1.5.0'],
  ['1.4.2', '1.4.2', '1.4.2', '1.4.3'],
  ['=1.4', '1.4.0', '1.4.9', '1.5.0'],
  ['^1.4', '1.4.0', '1.99.0', '2.0.0'],
  ['^0.4', '0.4.0', '0.4.9', '0.5.0'],
  ['^0.0.4', '0.0.4', '0.0.4', '0.0.5'],
  ['^0', '0.0.0', '0.9.9', '1.0.0'],
  ['~1.4.2', '1.4.2', '1.4.9', '1.5.0'],
  ['~1', '1.0.0', '1.9.9', '2.0.0'],
  ['>=1.4 <3', '1.4.0', '2.9.9', '3.0.0'],
  ['>1.4', '1.5.0', '9.0.0', '1.4.9'],
  ['<=1.4', '0.0.0', '1.4.9', '1.5.0'],
])('%s holds %s to %s and not %s', (range, first, last, beyond) => {
  expect([first, last, beyond].map((version) => inVersionRange(version, range))).toEqual([true, true, false]);
});

test('a release candidate counts as its release, and what is no version is in no range', () => {
  expect(inVersionRange('v1.4.2-rc.1+build', '~1.4')).toBe(true);
  for (const version of ['', 'latest', '1.x', 'one']) expect(inVersionRange(version, '>=0')).toBe(false);
});

test.each(['', 'latest', '1.x', '>=', '1 || 2', '1.2.3.4'])(
  '%j is no range, whatever the version',
  (range) => {
    expect(() => inVersionRange('latest', range)).toThrow(RangeError);
  },
);

test('comparators agree with the order of versions', () => {
  const part = fc.nat(4);
  const version = fc.tuple(part, part, part);
  fc.assert(
    fc.property(version, version, (a, b) => {
      const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
      const holds = (operator: string): boolean => inVersionRange(a.join('.'), operator + b.join('.'));
      expect(['<', '<=', '=', '>=', '>'].map(holds)).toEqual([
        order < 0,
        order <= 0,
        order === 0,
        order >= 0,
        order > 0,
      ]);
    }),
  );
});
