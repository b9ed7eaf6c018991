import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Socket } from 'node:net';
import { ForwardedFields, type ForwardedOptions } from './forwarded.ts';
import { readRequestHead } from './request-head.ts';

function peer(remoteAddress: string | undefined, encrypted = false): Socket {
  return { remoteAddress, encrypted } as unknown as Socket;
}

/** The X-Forwarded fields and Forwarded that an instance gets. */
function written(socket: Socket, raw: string[], options: ForwardedOptions = {}): string[] {
  const head = readRequestHead(raw);
  head.headers = [];
  new ForwardedFields(options).write(head, socket);
  return head.headers;
}

const claims = [
  'X-Forwarded-For',
  '6.6.6.6',
  'X-Forwarded-Proto',
  'https',
  'X-Forwarded-Host',
  'evil',
  'X-Forwarded-Port',
  '1',
];

describe('a peer that is not trusted', () => {
  test.each([
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['10.0.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['fe80::1', 'fe80::1'],
  ])('%s is forwarded as %s', (address, shown) => {
    expect(written(peer(address, true), ['Host', 'shop.example:8443'])).toEqual([
      'x-forwarded-proto',
      'https',
      'x-forwarded-for',
      shown,
      'x-forwarded-host',
      'shop.example:8443',
    ]);
  });

  test('what is not known is not made up', () => {
    expect(written(peer(undefined), [])).toEqual(['x-forwarded-proto', 'http']);
  });

  test('what it claims is overwritten', () => {
    const expected = ['x-forwarded-proto', 'http', 'x-forwarded-for', '9.9.9.9', 'x-forwarded-host', 'h'];
    const raw = ['Host', 'h', ...claims, 'Forwarded', 'for=6'];
    expect(written(peer('9.9.9.9'), raw)).toEqual(expected);
    expect(written(peer('9.9.9.9'), raw, { trustedProxies: ['10.0.0.0/8'] })).toEqual(expected);
  });
});

describe('a trusted proxy', () => {
  const trusted = { trustedProxies: ['10.0.0.0/8', '::1'] };

  test('is believed, and its own address appended', () => {
    expect(
      written(peer('10.1.2.3'), ['Host', 'h', ...claims, 'x-forwarded-for', '7.7.7.7'], trusted),
    ).toEqual([
      'X-Forwarded-Proto',
      'https',
      'X-Forwarded-Host',
      'evil',
      'X-Forwarded-Port',
      '1',
      'x-forwarded-for',
      '6.6.6.6, 7.7.7.7, 10.1.2.3',
    ]);
  });

  test('Forwarded is written when it is wanted, and goes on after what was there', () => {
    const options = { ...trusted, forwarded: true };
    const raw = ['Host', 'h:1', 'Forwarded', 'for=1.1.1.1', 'forwarded', 'for=2.2.2.2'];
    expect(written(peer('10.0.0.1'), raw, options)).toContain(
      'for=1.1.1.1, for=2.2.2.2, for=10.0.0.1;host="h:1";proto=http',
    );
    expect(written(peer('::2'), raw, options)).toContain('for="[::2]";host="h:1";proto=http');
    expect(written(peer('::2'), ['Host', 'a";x="'], options)).toContain('for="[::2]";proto=http');
  });

  test.each([
    ['', '10.0.0.1'],
    ['9.9.9.9', '9.9.9.9'],
    ['6.6.6.6, 9.9.9.9', '9.9.9.9'],
    ['6.6.6.6, 9.9.9.9, 10.2.2.2', '9.9.9.9'],
    ['6.6.6.6, [2001:db8::1]:99, ::1', '2001:db8::1'],
    ['9.9.9.9:1234,10.2.2.2', '9.9.9.9'],
    ['10.3.3.3, 10.2.2.2', '10.3.3.3'],
    ['9.9.9.9, unknown, 10.2.2.2', '10.2.2.2'],
    ['9.9.9.9, unknown', '10.0.0.1'],
  ])('behind it %j is the client %s', (forwardedFor, client) => {
    const raw = forwardedFor === '' ? [] : ['X-Forwarded-For', forwardedFor];
    expect(new ForwardedFields(trusted).clientAddress(peer('10.0.0.1'), raw)).toBe(client);
  });

  test('no client can choose its own address', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string())), (forged) => {
        const fields = new ForwardedFields(trusted);
        const seen = ['X-Forwarded-For', [...forged, '203.0.113.9'].join(', ')];
        expect(fields.clientAddress(peer('10.0.0.1'), seen)).toBe('203.0.113.9');
        expect(fields.clientAddress(peer('203.0.113.9'), seen)).toBe('203.0.113.9');
      }),
    );
  });
});

test.each(['', 'localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/x', '::1/129', '10.0.0.0/-1'])(
  'the trusted proxy %j is refused',
  (entry) => {
    expect(() => new ForwardedFields({ trustedProxies: [entry] })).toThrow(RangeError);
  },
);
