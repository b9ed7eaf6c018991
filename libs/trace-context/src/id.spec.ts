import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hexId, isZero, newSpanId, newTraceId } from './id.ts';

test('hexId writes two digits for each byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 16 }), (bytes) => {
      const expected = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
      return hexId(bytes) === (isZero(expected) ? expected.replace(/0$/, '1') : expected);
    }),
  );
});

test('all-zero bytes do not give an all-zero id', () => {
  expect(hexId(new Uint8Array(8))).toBe('0000000000000001');
});

test('ids have their length, are not zero and do not repeat over many blocks', () => {
  const spans = Array.from({ length: 5000 }, newSpanId);
  const traces = Array.from({ length: 5000 }, newTraceId);
  expect(spans.every((id) => /^[0-9a-f]{16}$/.test(id) && !isZero(id))).toBe(true);
  expect(traces.every((id) => /^[0-9a-f]{32}$/.test(id) && !isZero(id))).toBe(true);
  expect(new Set(spans).size).toBe(5000);
  expect(new Set(traces).size).toBe(5000);
});

test('every digit of an id varies', () => {
  const ids = Array.from({ length: 500 }, newTraceId);
  for (let at = 0; at < 32; at++) expect(new Set(ids.map((id) => id[at])).size).toBeGreaterThan(10);
});
