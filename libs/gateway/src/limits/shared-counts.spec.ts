import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { createClient } from '@redis/client';
import type { Stage } from '../passage.ts';
import { passageOf, valueOf } from '../testing/passage.ts';
import { rateLimit, type RateLimitOptions } from './rate-limit.ts';
import { SharedCounts, type RedisLike, type SharedCountsOptions } from './shared-counts.ts';

const url = 'redis://127.0.0.1:6379';
const prefix = `test:${randomUUID()}`;
const closers: (() => unknown)[] = [];
let hasRedis = false;

beforeAll(async () => {
  hasRedis = await new Promise((resolve) => {
    const socket = connect(6379, '127.0.0.1', () => {
      resolve(true);
      socket.destroy();
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function redisClient() {
  const client = await createClient({ url })
    .on('error', () => undefined)
    .connect();
  closers.push(async () => {
    const keys = await client.keys(`${prefix}:*`);
    if (keys.length > 0) await client.del(keys);
    await client.close();
  });
  return client;
}

/** Says aloud when there is nothing to test against. */
function withRedis(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    if (hasRedis) await run();
    else process.stderr.write(`NOT TESTED, no Redis at ${url}: ${name}\n`);
  });
}

const limits = [{ limit: 3, periodMs: 60_000 }];

function stageOf(shared: SharedCounts, scope: string, more: Partial<RateLimitOptions> = {}): Stage {
  return rateLimit({ rules: { limits }, shared, scope, ...more });
}

async function ask(stage: Stage, clientAddress = '192.0.2.1') {
  const passage = passageOf({ clientAddress });
  const refusal = await stage(passage);
  return { code: refusal?.code, retryAfterMs: refusal?.retryAfterMs, headers: passage.answerHeaders };
}

async function codes(count: number, ...stages: Stage[]): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (let at = 0; at < count; at++) found.push((await ask(stages[at % stages.length]!)).code);
  return found;
}

const refused = 'ERR_RATE_LIMITED';

describe('on Redis', () => {
  withRedis('gateways count together, each route for itself', async () => {
    const one = new SharedCounts({ client: await redisClient(), prefix });
    const other = new SharedCounts({ client: await redisClient(), prefix });
    const stages = [stageOf(one, 'orders'), stageOf(other, 'orders')];
    expect(await codes(5, ...stages)).toEqual([undefined, undefined, undefined, refused, refused]);
    const last = await ask(stages[1]!);
    expect(last.retryAfterMs).toBeGreaterThan(50_000);
    expect(valueOf(last.headers, 'ratelimit')).toMatch(/^"3\/60s";r=0;t=\d\d$/);
    expect((await ask(stages[0]!, '192.0.2.2')).code).toBeUndefined();
    expect((await ask(stageOf(one, 'users'))).code).toBeUndefined();
  });

  withRedis('a request that one limit refuses is not counted by the other', async () => {
    const client = await redisClient();
    const shared = new SharedCounts({ client, prefix });
    const rules = { limits: [...limits, { limit: 1, name: 'burst', periodMs: 60_000 }] };
    const stage = stageOf(shared, 'both', { rules });
    expect(await codes(5, stage)).toEqual([undefined, refused, refused, refused, refused]);
    expect(await client.get(`${prefix}:both:3/60s:a:192.0.2.1`)).toBe('1');
  });

  withRedis('every key ends by itself', async () => {
    const client = await redisClient();
    await codes(4, stageOf(new SharedCounts({ client, prefix }), 'ttl'));
    expect(await client.pTTL(`${prefix}:ttl:3/60s:a:192.0.2.1`)).toBeGreaterThan(0);
  });

  withRedis('many at once: never more than the limit', async () => {
    const shared = new SharedCounts({ client: await redisClient(), prefix, timeoutMs: 5_000 });
    const stage = stageOf(shared, 'crowd');
    const all = await Promise.all(Array.from({ length: 40 }, () => ask(stage)));
    expect(all.filter(({ code }) => code === undefined).length).toBe(3);
  });

  withRedis('a connection that is lost and comes back', async () => {
    const client = await redisClient();
    const told: string[] = [];
    const time = new VirtualTime();
    const shared = new SharedCounts({
      client,
      prefix,
      clock: time,
      onAway: () => told.push('away'),
      onBack: () => told.push('back'),
    });
    const stage = stageOf(shared, 'lost');
    expect(await codes(2, stage)).toEqual([undefined, undefined]);
    client.destroy();
    expect(await codes(4, stage)).toEqual([undefined, undefined, undefined, refused]);
    expect(told).toEqual(['away']);
    await client.connect();
    time.advanceSync(1_000);
    expect(await codes(2, stage)).toEqual([undefined, refused]);
    expect(told).toEqual(['away', 'back']);
  });
});

describe('without Redis each gateway counts for itself', () => {
  const hung: RedisLike = { isReady: true, eval: () => new Promise(() => undefined) };
  const broken: RedisLike = { isReady: true, eval: () => Promise.reject(new Error('READONLY')) };
  const absent: RedisLike = { isReady: false, eval: () => Promise.reject(new Error('not asked')) };

  test.each([
    ['one that hangs', hung, 'ERR_TIMEOUT'],
    ['one that fails', broken, undefined],
    ['one that is not connected', absent, undefined],
  ])('%s', async (_name, client, code) => {
    const causes: unknown[] = [];
    const counts = new SharedCounts({
      client,
      timeoutMs: 5,
      pauseMs: 60_000,
      onAway: (cause) => causes.push(cause),
    });
    const stage = stageOf(counts, 'x');
    expect(await codes(5, stage)).toEqual([undefined, undefined, undefined, refused, refused]);
    expect(causes.length).toBe(1);
    if (code !== undefined) expect(causes[0]).toMatchObject({ code });
  });

  test('once it is given up, it is not asked', async () => {
    let asked = 0;
    const client: RedisLike = {
      isReady: true,
      eval: () => {
        asked++;
        return Promise.reject(new Error('down'));
      },
    };
    await codes(20, stageOf(new SharedCounts({ client, pauseMs: 60_000 }), 'x'));
    expect(asked).toBe(3);
  });
});

test.each<[string, Partial<RateLimitOptions>, Partial<SharedCountsOptions>]>([
  [
    'periodMs must be whole seconds in Redis, got 1500',
    { rules: { limits: [{ limit: 1, periodMs: 1_500 }] } },
    {},
  ],
  ['are for memory only', { rules: { limits: [{ limit: 1, burst: 2 }] } }, {}],
  ['are for memory only', { rules: { limits: [{ limit: 1, algorithm: 'sliding-window' }] } }, {}],
  ['timeoutMs must be an integer >= 1, got 0', {}, { timeoutMs: 0 }],
  ['pauseMs must be an integer >= 1, got 0', {}, { pauseMs: 0 }],
])('%s', (words, more, options) => {
  const client: RedisLike = { isReady: true, eval: () => Promise.resolve([1, 1]) };
  const make = (): Stage => stageOf(new SharedCounts({ client, ...options }), 'x', more);
  expect(make).toThrow(RangeError);
  expect(make).toThrow(words);
});
