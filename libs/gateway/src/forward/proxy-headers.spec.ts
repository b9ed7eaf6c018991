import { expect, test } from '@jest/globals';
import { forwardedHeaders } from './forwarded.ts';
import { rawPairs, responseHeaders } from './proxy-headers.ts';

test('raw headers are latin1, however undici gives them', () => {
  const parsed = { a: '1', b: ['2', '3'], c: undefined };
  expect(rawPairs([Buffer.from('A'), Buffer.from('\xfc', 'latin1')], parsed)).toEqual(['A', '\xfc']);
  expect(rawPairs(['A', '1'], parsed)).toEqual(['A', '1']);
  expect(rawPairs(null, parsed)).toEqual(['a', '1', 'b', '2', 'b', '3']);
});

test('own headers with several values are several lines', () => {
  const own = { 'set-cookie': ['a=1', 'b=2'], 'x-count': 3, none: undefined };
  expect(responseHeaders([], own, undefined)).toEqual([
    'set-cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'x-count',
    '3',
  ]);
});

test.each([
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', '10.0.0.1'],
  ['::1', '::1'],
  ['fe80::1', 'fe80::1'],
])('%s is forwarded as %s', (address, shown) => {
  const caller = { address, encrypted: true, host: 'shop.example:8443' };
  expect(forwardedHeaders(caller)).toEqual([
    'x-forwarded-proto',
    'https',
    'x-forwarded-for',
    shown,
    'x-forwarded-host',
    'shop.example:8443',
  ]);
});

test('what is not known is not made up', () => {
  expect(forwardedHeaders({ address: undefined, encrypted: false, host: undefined })).toEqual([
    'x-forwarded-proto',
    'http',
  ]);
});
