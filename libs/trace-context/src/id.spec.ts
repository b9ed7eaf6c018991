import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hexWord, isZero, newSpanId, newTraceId } from './id.ts';

test('hexWord writes eight digits for 32 bits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffffffff }),
      (bits) => hexWord(bits) === bits.toString(16).padStart(8, '0'),
    ),
  );
});

test('nothing but zeros does not give an all-zero id', () => {
  expect(newSpanId(() => 0)).toBe('0000000000000001');
  expect(newTraceId(() => 0)).toBe('00000000000000000000000000000001');
});

test('the largest number gives all digits', () => {
  expect(newSpanId(() => 1 - 2 ** -53)).toBe('f'.repeat(16));
});

test('ids have their length, are not zero and do not repeat over many draws', () => {
  const spans = Array.from({ length: 5000 }, () => newSpanId());
  const traces = Array.from({ length: 5000 }, () => newTraceId());
  expect(spans.every((id) => /^[0-9a-f]{16}$/.test(id) && !isZero(id))).toBe(true);
  expect(traces.every((id) => /^[0-9a-f]{32}$/.test(id) && !isZero(id))).toBe(true);
  expect(new Set(spans).size).toBe(5000);
  expect(new Set(traces).size).toBe(5000);
});

test('every digit of an id varies', () => {
  const ids = Array.from({ length: 500 }, () => newTraceId());
  for (let at = 0; at < 32; at++) expect(new Set(ids.map((id) => id[at])).size).toBeGreaterThan(10);
});
