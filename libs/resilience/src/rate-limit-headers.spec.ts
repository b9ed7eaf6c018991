import { describe, expect, test } from '@jest/globals';
import { rateLimitHeaders, usedUpMs, type RateLimitState } from './rate-limit-headers.ts';

const state: RateLimitState = {
  name: 'api',
  limit: 100,
  periodMs: 60_000,
  remaining: 42,
  resetMs: 34_800,
  retryAfterMs: 0,
};

describe('rate limit headers', () => {
  test('are the structured fields of the draft, in whole seconds, rounded up', () => {
    expect(rateLimitHeaders(state)).toEqual({
      'RateLimit-Policy': '"api";q=100;w=60',
      RateLimit: '"api";r=42;t=35',
    });
  });

  test('tell when to come again while nothing may pass', () => {
    expect(rateLimitHeaders({ ...state, remaining: 0, retryAfterMs: 1001 })).toEqual({
      'RateLimit-Policy': '"api";q=100;w=60',
      RateLimit: '"api";r=0;t=35',
      'Retry-After': '2',
    });
  });

  test('tell a period that is no whole number of seconds as a larger window of the same rate', () => {
    const { 'RateLimit-Policy': policy } = rateLimitHeaders({ ...state, limit: 10, periodMs: 100 });
    expect(policy).toBe('"api";q=100;w=1');
    expect(rateLimitHeaders({ ...state, limit: 10, periodMs: 1500 })['RateLimit-Policy']).toBe(
      '"api";q=13;w=2',
    );
  });

  test('escape the name as structured fields want it', () => {
    expect(rateLimitHeaders({ ...state, name: String.raw`a"b\c` }).RateLimit).toBe(
      String.raw`"a\"b\\c";r=42;t=35`,
    );
  });

  test.each<[string | null | undefined, number | undefined]>([
    ['"api";r=0;t=30', 30_000],
    ['"api"; r=0; t=30', 30_000],
    ['"api";r=5;t=30', undefined],
    ['"burst";r=0;t=2, "day";r=10;t=4000', 2000],
    ['"burst";r=0;t=2,"day";r=0;t=4000', 4_000_000],
    [String.raw`"a\";r=0;t=9";r=1;t=3`, undefined],
    ['"a,b";r=0;t=3;pk=:YQ==:', 3000],
    ['"api";r=0', undefined],
    ['100', undefined],
    ['', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('read %s', (field, pauseMs) => {
    expect(usedUpMs(field)).toBe(pauseMs);
  });

  test('read back what they write', () => {
    const field = rateLimitHeaders({ ...state, name: String.raw`x";r=1\ `, remaining: 0 }).RateLimit;
    expect(usedUpMs(field)).toBe(35_000);
  });
});
