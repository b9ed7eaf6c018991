import { expect, test } from '@jest/globals';
import { originForm } from './origin-form.ts';

test.each([
  ['/users?a=1', '/users?a=1'],
  ['*', '*'],
  ['http://Here:80/users?a=1', '/users?a=1'],
  ['HTTPS://here:80/', '/'],
  ['http://here:80', '/'],
  ['http://here:80?a=1', '/?a=1'],
  ['http://there/users', 'http://there/users'],
  ['http://here/users', 'http://here/users'],
  ['http://a@here:80/users', 'http://a@here:80/users'],
  ['ftp://here:80/users', 'ftp://here:80/users'],
  ['here:80', 'here:80'],
])('%s becomes %s', (url, expected) => {
  expect(originForm({ url, headers: { host: 'here:80' } })).toBe(expected);
});
