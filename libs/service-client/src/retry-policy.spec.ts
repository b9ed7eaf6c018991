import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  isIdempotent,
  isReplayable,
  mayRetry,
  readRetryAfterMs,
  retryDelayMs,
  type BackoffRules,
} from './retry-policy.ts';

const rules: BackoffRules = {
  baseDelayMs: 100,
  maxDelayMs: 2000,
  maxRetryAfterMs: 10_000,
};
const high = (): number => 0.999;
const busy = { sent: true, connection: false };
const refused = { sent: false, connection: true };

describe('what may run twice', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE'])('%s', (method) => {
    expect(isIdempotent({ path: '/', method })).toBe(true);
  });

  test.each(['POST', 'PATCH', 'CONNECT'])('not %s, unless it carries an Idempotency-Key', (method) => {
    expect(isIdempotent({ path: '/', method })).toBe(false);
    expect(isIdempotent({ path: '/', method, headers: { 'Idempotency-Key': 'a' } })).toBe(true);
    expect(isIdempotent({ path: '/', method, headers: ['x', 'y', 'IDEMPOTENCY-KEY', 'a'] })).toBe(true);
  });

  test('a stream cannot be sent again once it was sent or touched', () => {
    expect(isReplayable(Readable.from(['x']), true)).toBe(false);
    expect(isReplayable(Readable.from(['x']), false)).toBe(true);
    const touched = Readable.from(['x']);
    touched.read();
    expect(isReplayable(touched, false)).toBe(false);
    const destroyed = Readable.from(['x']).destroy();
    expect(isReplayable(destroyed, false)).toBe(false);
    for (const held of [undefined, null, '', 'text', Buffer.from('x'), new Uint8Array(1)]) {
      expect(isReplayable(held, true)).toBe(true);
    }
  });

  test('a POST may be repeated only when it was never sent', () => {
    const post = { path: '/', method: 'POST', body: 'x' };
    expect(mayRetry(post, refused)).toBe(true);
    expect(mayRetry(post, { sent: true, connection: true })).toBe(false);
    expect(mayRetry({ ...post, method: 'PUT' }, busy)).toBe(true);
    expect(mayRetry({ ...post, method: 'PUT', body: Readable.from(['x']) }, busy)).toBe(false);
  });
});

describe('delay', () => {
  test('doubles: 100, 200, 400 at most, and stops at the ceiling', () => {
    const delays = [1, 2, 3, 10, 2000].map((retry) => retryDelayMs(rules, high, retry, busy, true));
    expect(delays.map((delay) => Math.ceil(delay ?? NaN))).toEqual([100, 200, 400, 1998, 1998]);
  });

  test('is full jitter: never negative, never above the ceiling, its mean is half of it', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.nat(10_000),
        fc.nat(10_000),
        fc.boolean(),
        (random, retry, baseDelayMs, maxDelayMs, othersLeft) => {
          const mine = { ...rules, baseDelayMs, maxDelayMs };
          const delay = retryDelayMs(mine, () => random, retry, busy, othersLeft) ?? NaN;
          const ceiling = Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(retry - 1, 1023));
          expect(delay).toBe(random * ceiling);
        },
      ),
    );
  });

  test('a failed connection goes elsewhere at once, and waits when there is no elsewhere', () => {
    expect(retryDelayMs(rules, high, 1, refused, true)).toBe(0);
    expect(retryDelayMs(rules, high, 1, refused, false)).toBeCloseTo(99.9);
  });

  test('Retry-After binds the instance that sent it', () => {
    expect(retryDelayMs(rules, high, 1, { ...busy, retryAfterMs: 3000 }, false)).toBe(3000);
    expect(retryDelayMs(rules, high, 1, { ...busy, retryAfterMs: 3000 }, true)).toBeCloseTo(99.9);
    expect(retryDelayMs(rules, high, 1, { ...busy, retryAfterMs: 0 }, false)).toBeCloseTo(99.9);
    expect(retryDelayMs(rules, high, 1, { ...busy, retryAfterMs: 10_001 }, false)).toBeUndefined();
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1);

  test.each([
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:00:07 GMT', 7000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['99999999999999999999', undefined],
    [undefined, undefined],
    [['1', '2'], undefined],
  ])('%j', (value, ms) => {
    expect(readRetryAfterMs(value, now)).toBe(ms);
  });
});
