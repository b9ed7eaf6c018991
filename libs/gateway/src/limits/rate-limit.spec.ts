import { describe, expect, test } from '@jest/globals';
import { rateLimitHeaders } from '@mesh/resilience';
import { VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import type { Passage, Refusal, Stage } from '../passage.ts';
import { passageOf, valueOf } from '../testing/passage.ts';
import { LimitHeaders } from './limit-headers.ts';
import { rateLimit } from './rate-limit.ts';
import { rateLimitSchema, type LimitRule, type RateLimitRulesInput } from './rate-limit-rules.ts';

function ask(
  stage: Stage,
  passage: Passage = passageOf(),
): { refusal: Refusal | undefined; headers: string[] } {
  const refusal = stage(passage);
  if (refusal instanceof Promise) throw new Error('memory must answer at once');
  return { refusal, headers: passage.answerHeaders };
}

const times = (count: number, stage: Stage, passage?: () => Passage): (string | undefined)[] =>
  Array.from({ length: count }, () => ask(stage, passage?.()).refusal?.code);

test('so many pass, then 429 with the time to come back', () => {
  const time = new VirtualTime();
  const stage = rateLimit({ rules: { limits: [{ limit: 2, periodMs: 60_000 }] }, clock: time });
  expect(times(3, stage)).toEqual([undefined, undefined, 'ERR_RATE_LIMITED']);
  const { refusal, headers } = ask(stage);
  expect([refusal?.status, refusal?.retryAfterMs]).toEqual([429, 30_000]);
  expect(headers).toEqual(['ratelimit-policy', '"2/60s";q=2;w=60', 'ratelimit', '"2/60s";r=0;t=60']);
  time.advanceSync(30_000);
  expect(times(2, stage)).toEqual([undefined, 'ERR_RATE_LIMITED']);
});

test('several limits: a burst and a quota, both told', () => {
  const time = new VirtualTime();
  const rules: RateLimitRulesInput = {
    limits: [
      { limit: 2, name: 'burst' },
      { limit: 3, periodMs: 3_600_000, name: 'quota', algorithm: 'sliding-window' },
    ],
  };
  const stage = rateLimit({ rules, clock: time });
  const { headers } = ask(stage);
  expect(valueOf(headers, 'ratelimit-policy')).toBe('"burst";q=2;w=1, "quota";q=3;w=3600');
  expect(valueOf(headers, 'ratelimit')).toMatch(/^"burst";r=1;t=1, "quota";r=2;t=3\d\d\d$/);
  expect(times(2, stage)).toEqual([undefined, 'ERR_RATE_LIMITED']);
  time.advanceSync(10_000);
  // What the burst refused was not counted by the quota.
  expect(times(2, stage)).toEqual([undefined, 'ERR_RATE_LIMITED']);
  time.advanceSync(10_000);
  const { refusal } = ask(stage);
  expect(refusal?.retryAfterMs).toBeGreaterThan(3_000_000);
});

test('clients do not count for each other; routes that share a stage do', () => {
  const stage = rateLimit({ rules: { limits: [{ limit: 1 }] }, clock: new VirtualTime() });
  expect(times(2, stage)).toEqual([undefined, 'ERR_RATE_LIMITED']);
  expect(times(1, stage, () => passageOf({ clientAddress: '192.0.2.2' }))).toEqual([undefined]);
  expect(times(1, stage, () => passageOf({ routeId: 'other', url: '/other' }))).toEqual(['ERR_RATE_LIMITED']);
});

test('a forged X-Forwarded-For is no way around (CVE-2026-3635 class)', () => {
  const stage = rateLimit({ rules: { limits: [{ limit: 1 }] }, clock: new VirtualTime() });
  let at = 0;
  const forged = (): Passage => passageOf({ headers: ['X-Forwarded-For', `10.0.0.${at++}`] });
  expect(times(3, stage, forged)).toEqual([undefined, 'ERR_RATE_LIMITED', 'ERR_RATE_LIMITED']);
});

test('neither another address of the same /64 nor another spelling of the path is', () => {
  const stage = rateLimit({ rules: { limits: [{ limit: 1 }] }, clock: new VirtualTime() });
  let at = 1;
  const odd = (): Passage => passageOf({ clientAddress: `2001:db8::${at++}`, url: `/%6frders?${at}` });
  expect(times(3, stage, odd)).toEqual([undefined, 'ERR_RATE_LIMITED', 'ERR_RATE_LIMITED']);
});

test('a flood of keys takes no memory, and clears no debt', () => {
  const time = new VirtualTime();
  const stage = rateLimit({ rules: { limits: [{ limit: 1, periodMs: 60_000 }] }, maxKeys: 10, clock: time });
  expect(times(2, stage)).toEqual([undefined, 'ERR_RATE_LIMITED']);
  let at = 0;
  const others = times(1_000, stage, () => passageOf({ clientAddress: `10.0.${at >> 8}.${at++ & 255}` }));
  // Ten have limits of their own; all others share one.
  expect(others.filter((code) => code === undefined).length).toBe(10);
  expect(times(1, stage)).toEqual(['ERR_RATE_LIMITED']);
});

test.each<[RateLimitRulesInput['headers'], number, number]>([
  ['always', 4, 4],
  ['refused', 0, 4],
  ['never', 0, 0],
])('headers: %s', (headers, ofPassed, ofRefused) => {
  const stage = rateLimit({
    rules: { limits: [{ limit: 1 }], ...(headers && { headers }) },
    clock: new VirtualTime(),
  });
  expect(ask(stage).headers.length).toBe(ofPassed);
  expect(ask(stage).headers.length).toBe(ofRefused);
});

test('the headers are those of @mesh/resilience, for any state', () => {
  const state = fc.record({
    limit: fc.integer({ min: 1, max: 1e9 }),
    periodMs: fc.integer({ min: 1, max: 86_400_000 }),
    remaining: fc.nat(1e9),
    resetMs: fc.double({ min: 0, max: 1e8, noNaN: true }),
  });
  fc.assert(
    fc.property(state, (parts) => {
      const full = { ...parts, name: 'a/b_c-1.5', retryAfterMs: 0 };
      const headers = new LimitHeaders(full as unknown as LimitRule);
      const expected = rateLimitHeaders(full);
      expect([headers.policy, headers.item(full)]).toEqual([
        expected['RateLimit-Policy'],
        expected.RateLimit,
      ]);
    }),
  );
});

describe('against a naive model', () => {
  /** What is owed to each limit and key, in ms; a permit is worth the interval. */
  class NaiveLimits {
    readonly #owed = new Map<string, number>();
    readonly #limits: readonly { burst: number; intervalMs: number }[];

    constructor(limits: readonly { burst: number; intervalMs: number }[]) {
      this.#limits = limits;
    }

    advance(ms: number): void {
      for (const [key, owed] of this.#owed) this.#owed.set(key, Math.max(0, owed - ms));
    }

    ask(client: string): boolean {
      const keys = this.#limits.map((_, at) => `${at}:${client}`);
      const after = this.#limits.map(({ intervalMs }, at) => (this.#owed.get(keys[at]!) ?? 0) + intervalMs);
      const hasPassed = this.#limits.every(({ burst, intervalMs }, at) => after[at]! <= burst * intervalMs);
      if (hasPassed) for (const [at, key] of keys.entries()) this.#owed.set(key, after[at]!);
      return hasPassed;
    }
  }

  const limit = fc.record({
    limit: fc.integer({ min: 1, max: 5 }),
    intervalMs: fc.integer({ min: 1, max: 500 }),
    burst: fc.integer({ min: 1, max: 5 }),
  });
  const step = fc.record({
    client: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'),
    afterMs: fc.integer({ min: 0, max: 700 }),
  });

  test('any limits, clients and times', () => {
    fc.assert(
      fc.property(
        fc.array(limit, { minLength: 1, maxLength: 3 }),
        fc.array(step, { maxLength: 60 }),
        (limits, steps) => {
          const time = new VirtualTime();
          const model = new NaiveLimits(limits);
          const rules = limits.map((one, at) => ({
            limit: one.limit,
            periodMs: one.limit * one.intervalMs,
            burst: one.burst,
            name: `limit-${at}`,
          }));
          const stage = rateLimit({ rules: { limits: rules }, clock: time });
          for (const { client, afterMs } of steps) {
            time.advanceSync(afterMs);
            model.advance(afterMs);
            const { refusal } = ask(stage, passageOf({ clientAddress: client }));
            expect(refusal === undefined).toBe(model.ask(client));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('who comes back when told is let in', () => {
    fc.assert(
      fc.property(fc.array(limit, { minLength: 1, maxLength: 3 }), fc.nat(30), (limits, count) => {
        const time = new VirtualTime();
        const rules = limits.map((one, at) => ({
          limit: one.limit,
          periodMs: one.limit * one.intervalMs,
          burst: one.burst,
          name: `limit-${at}`,
        }));
        const stage = rateLimit({ rules: { limits: rules }, clock: time });
        for (let at = 0; at < count; at++) {
          const { refusal } = ask(stage);
          if (refusal === undefined) continue;
          expect(refusal.retryAfterMs).toBeGreaterThan(0);
          time.advanceSync(refusal.retryAfterMs ?? 0);
          expect(ask(stage).refusal).toBeUndefined();
        }
      }),
    );
  });
});

test.each<[string, unknown]>([
  ['limits', { limits: [] }],
  ['limit', { limits: [{ limit: 0 }] }],
  ['limit', { limits: [{ limit: 1.5 }] }],
  ['periodMs', { limits: [{ limit: 1, periodMs: -1 }] }],
  ['two limits are called 1/1s', { limits: [{ limit: 1 }, { limit: 1, by: 'route' }] }],
  ['name', { limits: [{ limit: 1, name: 'a"b' }] }],
  ['by', { limits: [{ limit: 1, by: 'ip' }] }],
  ['by', { limits: [{ limit: 1, by: { header: 'a b' } }] }],
  ['Unrecognized key: "perSecond"', { limits: [{ limit: 1, perSecond: 1 }] }],
])('%s must make sense', (words, rules) => {
  expect(() => rateLimit({ rules: rules as RateLimitRulesInput })).toThrow(RangeError);
  expect(() => rateLimit({ rules: rules as RateLimitRulesInput })).toThrow(words);
});

test('maxKeys must make sense', () => {
  expect(() => rateLimit({ rules: { limits: [{ limit: 1 }] }, maxKeys: 0 })).toThrow(
    'maxKeys must be an integer >= 1, got 0',
  );
});

test('the schema has its defaults', () => {
  expect(rateLimitSchema.parse({ limits: [{ limit: 1 }] })).toEqual({
    limits: [{ limit: 1, periodMs: 1_000, algorithm: 'gcra', by: 'address' }],
    headers: 'always',
  });
});
