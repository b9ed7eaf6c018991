import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundTraceState } from './tracestate.ts';

const key = fc.stringMatching(/^[a-z][a-z0-9_*/-]{0,20}(@[a-z]{1,14})?$/);
const value = fc.stringMatching(/^[\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,200}$/);
const member = fc.tuple(key, value).map(([name, text]) => `${name}=${text}`);

describe('boundTraceState', () => {
  test('passes a short one through unchanged', () => {
    expect(boundTraceState('congo=t61rcWkgMzE,rojo=00f067aa0ba902b7')).toBe(
      'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7',
    );
    expect(boundTraceState('fw529a3039@dt=a b')).toBe('fw529a3039@dt=a b');
  });

  test('drops blanks around members and empty members', () => {
    expect(boundTraceState(' a=1 ,\t, b=2,')).toBe('a=1,b=2');
  });

  test.each([
    '',
    ',',
    'a',
    'a=',
    '=1',
    'A=1',
    'a=1,b',
    'a=1=2',
    'a=\n1',
    'a=ü',
    'a b=1',
    'a=1;\r\nx: y',
    `a=${'1'.repeat(257)}`,
  ])('drops %j', (text) => {
    expect(boundTraceState(text)).toBeUndefined();
  });

  test('too long: long members go first, then the last ones, none is cut', () => {
    const long = `long=${'x'.repeat(200)}`;
    const short = (name: string) => `${name}=${'y'.repeat(100)}`;
    const names = ['a', 'b', 'c', 'd', 'e'];
    expect(boundTraceState([long, ...names.map(short)].join(','))).toBe(
      names.slice(0, 4).map(short).join(','),
    );
  });

  test('keeps the first 32 members', () => {
    const members = Array.from({ length: 40 }, (_, at) => `k${at}=1`);
    expect(boundTraceState(members.join(','))).toBe(members.slice(0, 32).join(','));
  });

  test('a giant is not looked at', () => {
    expect(boundTraceState('a=1,'.repeat(100_000))).toBeUndefined();
  });

  test('whatever is valid comes out within the bound, in order, as whole members; short ones come out whole', () => {
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 40 }), (members) => {
        const text = members.join(',');
        const out = boundTraceState(text);
        if (text.length <= 512 && members.length <= 32) expect(out).toBe(text);
        const kept = out?.split(',') ?? [];
        let from = 0;
        for (const part of kept) {
          from = members.indexOf(part, from) + 1;
          expect(from).toBeGreaterThan(0);
        }
        expect(out?.length ?? 0).toBeLessThanOrEqual(512);
        expect(out === undefined || boundTraceState(out) === out).toBe(true);
      }),
    );
  });

  test('nothing that could split a header comes out', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) =>
        /^[\x20-\x7e]*$/.test(boundTraceState(text) ?? ''),
      ),
    );
  });
});
