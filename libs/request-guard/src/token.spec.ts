import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bearerToken, isSameText } from './token.ts';

describe('isSameText', () => {
  test('agrees with === for any two texts', () => {
    const text = fc.string({ minLength: 1, unit: fc.constantFrom('a', 'b') });
    fc.assert(fc.property(text, text, (a, b) => isSameText(a, b) === (a === b)));
    fc.assert(fc.property(fc.string({ minLength: 1 }), (a) => isSameText(a, a)));
  });

  test('a repetition or a prefix of the secret is not the secret', () => {
    expect(isSameText('abab', 'ab')).toBe(false);
    expect(isSameText('a', 'ab')).toBe(false);
    expect(isSameText('', 'ab')).toBe(false);
  });
});

test('bearerToken reads that one scheme, in any case', () => {
  expect(bearerToken('Bearer abc')).toBe('abc');
  expect(bearerToken('bearer abc')).toBe('abc');
  for (const other of [
    '',
    'abc',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Basic abc',
    'xBearer abc',
    'Bearer a\n',
  ]) {
    expect(bearerToken(other)).toBeUndefined();
  }
});
