import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { earliest, formatPosition, parsePosition, reaches } from './position.ts';

test.each([undefined, 7, '', '7', ':7', 'e:', 'e:-1', 'e:1.5', 'e:x', 'e:1234567890123456'])(
  '%j is no position',
  (text) => {
    expect(parsePosition(text)).toBeUndefined();
  },
);

test('what is written is read', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(), (epoch, revision) => {
      expect(parsePosition(formatPosition({ epoch, revision }))).toEqual({ epoch, revision });
    }),
  );
});

test('only positions of one epoch have an order', () => {
  const at = (epoch: string, revision: number) => ({ epoch, revision });
  expect(reaches(at('a', 2), at('a', 2))).toBe(true);
  expect(reaches(at('a', 1), at('a', 2))).toBe(false);
  expect(reaches(at('b', 9), at('a', 2))).toBe(false);
  expect(reaches(undefined, at('a', 2))).toBe(false);
  expect(earliest([at('a', 3), at('a', 1), at('a', 2)])).toEqual(at('a', 1));
  expect(earliest([at('a', 3), at('b', 1)])).toBeUndefined();
  expect(earliest([at('a', 3), undefined])).toBeUndefined();
  expect(earliest([])).toBeUndefined();
});
