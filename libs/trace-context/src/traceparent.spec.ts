import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatTraceParent, parseTraceParent } from './traceparent.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

describe('parseTraceParent', () => {
  test('reads the example of the recommendation', () => {
    expect(parseTraceParent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, sampled: true });
    expect(parseTraceParent(`00-${traceId}-${spanId}-00`)?.sampled).toBe(false);
  });

  test('of the flags only the lowest bit counts', () => {
    expect(parseTraceParent(`00-${traceId}-${spanId}-03`)?.sampled).toBe(true);
    expect(parseTraceParent(`00-${traceId}-${spanId}-fe`)?.sampled).toBe(false);
  });

  test('a future version is read by its first 55 characters', () => {
    expect(parseTraceParent(`01-${traceId}-${spanId}-01`)?.traceId).toBe(traceId);
    expect(parseTraceParent(`cc-${traceId}-${spanId}-01-what-comes`)?.spanId).toBe(spanId);
    expect(parseTraceParent(`cc-${traceId}-${spanId}-01-`)?.spanId).toBe(spanId);
  });

  test.each([
    ['version ff', `ff-${traceId}-${spanId}-01`],
    ['version ff with more', `ff-${traceId}-${spanId}-01-more`],
    ['version 00 with more', `00-${traceId}-${spanId}-01-more`],
    ['future version with more but no dash', `cc-${traceId}-${spanId}-01.more`],
    ['future version with a longer flags field', `cc-${traceId}-${spanId}-011`],
    ['all-zero trace id', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['all-zero span id', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${traceId.toUpperCase()}-${spanId}-01`],
    ['upper-case version', `0A-${traceId}-${spanId}-01`],
    ['short trace id', `00-${traceId.slice(1)}-${spanId}-01`],
    ['long span id', `00-${traceId}-${spanId}0-01`],
    ['one version digit', `0-${traceId}-${spanId}-01`],
    ['no flags', `00-${traceId}-${spanId}`],
    ['not hex', `00-${traceId.slice(1)}g-${spanId}-01`],
    ['flags not hex', `00-${traceId}-${spanId}-0x`],
    ['underscores', `00_${traceId}_${spanId}_01`],
    ['leading blank', ` 00-${traceId}-${spanId}-01`],
    ['trailing line feed', `00-${traceId}-${spanId}-01\n`],
    ['two joined', `00-${traceId}-${spanId}-01,00-${traceId}-${spanId}-01`],
    ['empty', ''],
  ])('refuses %s', (_, text) => {
    expect(parseTraceParent(text)).toBeUndefined();
  });

  test('one changed character in a valid value is never read as a different shape', () => {
    const valid = `00-${traceId}-${spanId}-01`;
    const strict = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
    const letter = fc.stringMatching(/^[0-9a-fA-Fg,\n -]$/);
    fc.assert(
      fc.property(fc.nat(valid.length - 1), letter, (at, other) => {
        const text = valid.slice(0, at) + other + valid.slice(at + 1);
        return (parseTraceParent(text) !== undefined) === strict.test(text);
      }),
      { numRuns: 1000 },
    );
  });
});

test('what is written is read back', () => {
  const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
  const id = (length: number) => digits(length).filter((text) => !/^0+$/.test(text));
  const parent = fc.record({ traceId: id(32), spanId: id(16), sampled: fc.boolean() });
  fc.assert(
    fc.property(parent, (value) => {
      expect(parseTraceParent(formatTraceParent(value))).toEqual(value);
    }),
  );
});
