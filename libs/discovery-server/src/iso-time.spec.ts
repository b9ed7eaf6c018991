import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isoTime } from './iso-time.ts';

test('says what Date says, in whatever order it is asked', () => {
  const moments = fc.array(fc.tuple(fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: -5000, max: 5000 })));
  fc.assert(
    fc.property(moments, (times) => {
      for (const [base, offset] of times) {
        for (const ms of [base * 1000 + offset, base * 1000 + offset + 1, base * 1000]) {
          expect(isoTime(ms)).toBe(new Date(ms).toISOString());
        }
      }
    }),
  );
});

test('a moment that is none is refused, as by Date', () => {
  expect(() => isoTime(NaN)).toThrow(RangeError);
  expect(() => isoTime(8.64e15 + 1000)).toThrow(RangeError);
});
