import { expect, test } from '@jest/globals';
import { isServiceName, serviceOf } from './discovery.ts';

test.each([
  ['http://user-service', 'user-service'],
  ['http://user-service/', 'user-service'],
  ['http://a', 'a'],
  [new URL('http://User-Service/users?x=1'), 'user-service'],
  [new URL('http://user-service:80'), 'user-service'],
])('%s is a service', (origin, name) => {
  expect(serviceOf(origin)).toBe(name);
});

test.each([
  [undefined],
  ['https://user-service'],
  ['http://user-service:4000'],
  ['http://localhost'],
  ['http://127.0.0.1'],
  ['http://[::1]'],
  ['http://example.com'],
  ['http://user-service.'],
  ['http://me@user-service'],
  ['http://user_service'],
  ['http://-a'],
  [`http://${'a'.repeat(64)}`],
  ['http://'],
])('%s is a fixed address', (origin) => {
  expect(serviceOf(origin)).toBeUndefined();
});

test.each(['localhost', '', 'a.b', 'a:1', '__proto__', 'A', 'a/b', 'user@host'])(
  '%j names no service',
  (name) => {
    expect(isServiceName(name)).toBe(false);
  },
);
