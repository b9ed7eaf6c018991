import { expect, test } from '@jest/globals';
import { retryAfterMs } from './retry-after.ts';

declare const Headers: new (init: Record<string, string>) => { get(name: string): string | null };

const headers = (value: string): { readonly headers: InstanceType<typeof Headers> } => ({
  headers: new Headers({ 'Retry-After': value }),
});
const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');

test.each<[string, unknown, number | undefined]>([
  ['a number on the error', { retryAfterMs: 250 }, 250],
  ['a number before a header', { retryAfterMs: 0, ...headers('9') }, 0],
  ['seconds', headers('120'), 120_000],
  ['seconds on the response of an error', { response: headers('1') }, 1000],
  ['a date', headers('Wed, 21 Oct 2015 07:28:30 GMT'), 30_000],
  ['a date of the past', headers('Wed, 21 Oct 2015 07:00:00 GMT'), 0],
  ['no header', { headers: new Headers({}) }, undefined],
  ['nonsense', headers('soon'), undefined],
  ['a negative number', headers('-5'), undefined],
  ['a fraction', headers('1.5'), undefined],
  ['headers without get', { headers: { 'retry-after': '5' } }, undefined],
  ['no object', 'retry later', undefined],
  ['null', null, undefined],
])('reads %s', (_, source, expected) => {
  expect(retryAfterMs({ ok: false, error: source }, now)).toBe(expected);
  expect(retryAfterMs({ ok: true, value: source }, now)).toBe(expected);
});
