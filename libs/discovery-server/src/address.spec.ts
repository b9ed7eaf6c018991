import { expect, test } from '@jest/globals';
import { addressKey, callerHost, hostPort, normalizeHost } from './address.ts';

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '127.0.0.1'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
  ['::FFFF:10.1.2.3', '10.1.2.3'],
  ['10.1.2.3', '10.1.2.3'],
  ['2001:DB8::7', '2001:db8::7'],
])('a caller at %s is listed as %s', (ip, host) => {
  expect(callerHost(ip)).toBe(host);
});

test.each([
  ['[::1]', '::1'],
  ['Users.Internal.', 'users.internal'],
  ['localhost', 'localhost'],
])('%s is spelled %s', (host, normal) => {
  expect(normalizeHost(host)).toBe(normal);
});

test('loopback has one key, IPv6 has brackets', () => {
  const keys = ['localhost', '::1', '127.0.0.1'].map((host) => addressKey(host, 80));
  expect(new Set(keys)).toEqual(new Set(['127.0.0.1:80']));
  expect(hostPort('fe80::1', 80)).toBe('[fe80::1]:80');
});
