import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Identity } from '../passage.ts';
import { passageOf } from '../testing/passage.ts';
import { addressKey, limitKey } from './limit-key.ts';

const identity = (subject: string, by: Identity['by'] = 'jwt'): Identity => ({
  subject,
  by,
  scopes: [],
  claims: {},
});

describe('an address', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:1:2::', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:0db8:0001:0002::1', '2001:db8:1:2'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('%s counts as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  test('all of a /64 are one, and no other /64 is, however they are written', () => {
    const half = fc.array(fc.nat(0xffff), { minLength: 4, maxLength: 4 });
    const hex = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');
    // The longest run of zeros at the end, as `::`.
    const short = (text: string): string => text.replace(/(?::0)+$/, '::');
    fc.assert(
      fc.property(half, half, half, half, (network, host, otherNetwork, otherHost) => {
        fc.pre(hex(network) !== '0:0:0:0' && hex(otherNetwork) !== '0:0:0:0');
        const key = addressKey(hex([...network, ...host]));
        expect(addressKey(short(hex([...network, ...otherHost])))).toBe(key);
        expect(addressKey(hex([...otherNetwork, ...host])) === key).toBe(hex(network) === hex(otherNetwork));
      }),
    );
  });

  test('anything else is a key of its own, and breaks nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        expect(typeof addressKey(text)).toBe('string');
      }),
    );
  });
});

test('what a client says of its own address changes nothing (CVE-2026-3635 class)', () => {
  const headers = [
    'X-Forwarded-For',
    '1.1.1.1',
    'x-real-ip',
    '1.1.1.1',
    'Forwarded',
    'for=1.1.1.1',
    'x-mesh-identity',
    'x',
  ];
  for (const by of ['address', 'subject', { header: 'x-tenant' }] as const) {
    expect(limitKey(by)(passageOf({ headers, clientAddress: '192.0.2.7' }))).toBe('a:192.0.2.7');
  }
});

test('a subject counts wherever it comes from; tokens and API keys are told apart', () => {
  const key = limitKey('subject');
  const one = { ...passageOf({ clientAddress: '192.0.2.1' }), identity: identity('ada') };
  const other = { ...passageOf({ clientAddress: '192.0.2.2' }), identity: identity('ada') };
  expect(key(one)).toBe(key(other));
  expect(key({ ...one, identity: identity('ada', 'api-key') })).not.toBe(key(one));
  expect(key({ ...one, identity: identity('192.0.2.1') })).not.toBe(key(passageOf()));
});

test('a header counts by its value; without it, or with several, the address does', () => {
  const key = limitKey({ header: 'X-Tenant' });
  expect(key(passageOf({ headers: ['x-tenant', 'a'] }))).toBe('h:a');
  expect(key(passageOf({ headers: ['x-tenant', 'a', 'X-Tenant', 'b'] }))).toBe('a:192.0.2.1');
  expect(key(passageOf())).toBe('a:192.0.2.1');
});

test('long texts are short keys, and different ones', () => {
  const long = (letter: string): string => letter.repeat(8_000);
  const header = limitKey({ header: 'x-tenant' });
  const keys = ['a', 'b'].flatMap((letter) => [
    header(passageOf({ headers: ['x-tenant', long(letter)] })),
    limitKey('subject')({ ...passageOf(), identity: identity(long(letter)) }),
  ]);
  expect(new Set(keys).size).toBe(4);
  for (const key of keys) expect(key.length).toBeLessThan(80);
});

test('a route has one key', () => {
  expect(limitKey('route')(passageOf({ clientAddress: '192.0.2.1' }))).toBe(
    limitKey('route')(passageOf({ clientAddress: '192.0.2.2' })),
  );
});
