/** What limits add to a call: ratios to a bare `await fn()` of the same run, cockatiel's bulkhead beside. */
import * as cockatiel from 'cockatiel';
import { contest, type Contender } from '../../../tools/contest.mts';
import { adaptiveConcurrency, bulkhead, keyedRateLimiter, rateLimiter } from '../src/index.ts';

// The cheapest function that returns a promise, so that no ratio is flattered.
const succeed = (): Promise<number> => Promise.resolve(1);

const calls = (name: string, execute: (fn: () => Promise<number>) => Promise<number>): Contender => ({
  name,
  run: async (iterations) => {
    for (let index = 0; index < iterations; index++) await execute(succeed);
  },
});
const acts = (name: string, act: (index: number) => unknown): Contender => ({
  name,
  run: (iterations) => {
    for (let index = 0; index < iterations; index++) act(index);
  },
});

// Never used up, so that each call goes the way of one that passes.
const plenty = { limit: 1_000_000_000, periodMs: 1000, burst: 1_000_000_000 };
const slots = bulkhead({ maxConcurrent: 10 });
const peer = cockatiel.bulkhead(10);
const adaptive = adaptiveConcurrency();
const gcra = rateLimiter(plenty);
const quota = rateLimiter({ ...plenty, algorithm: 'sliding-window' });
const clients = keyedRateLimiter<number>(plenty);
const used = rateLimiter({ limit: 1, periodMs: 1e9 });
used.tryAcquire();

await contest(
  'limits: one call that passes, ratios to a bare `await fn()`',
  [
    calls('bare', succeed),
    calls('bulkhead', (fn) => slots.execute(fn)),
    calls('bulkhead of cockatiel', (fn) => peer.execute(fn)),
    calls('rate limiter, GCRA', (fn) => gcra.execute(fn)),
    calls('rate limiter, sliding window', (fn) => quota.execute(fn)),
    calls('adaptive concurrency, gradient', (fn) => adaptive.execute(fn)),
    acts('bulkhead, tryAcquire and settle', () => slots.tryAcquire()?.settle('success')),
    acts('rate limiter, tryAcquire', () => gcra.tryAcquire()),
    acts('rate limiter, tryAcquire refuses', () => used.tryAcquire()),
    acts('keyed rate limiter, tryAcquire, 5000 keys', (index) => clients.tryAcquire(index % 5000)),
  ],
  [
    { of: 'bulkhead', against: 'bare', atMost: 2.5 },
    { of: 'rate limiter, GCRA', against: 'bare', atMost: 2.5 },
    { of: 'bulkhead', against: 'bulkhead of cockatiel', atMost: 1 },
  ],
  { rounds: 21 },
);

type Execute = (fn: () => unknown) => Promise<unknown>;

const queues: Readonly<Record<string, { readonly size: number; readonly make: () => Execute }>> = {
  '1 k': ours(1_000),
  '1 k, cockatiel': theirs(1_000),
  '10 k': ours(10_000),
  '10 k, cockatiel': theirs(10_000),
  '100 k': ours(100_000),
  '500 k': ours(500_000),
  '1 k, an array of promises': plain(1_000),
  '500 k, an array of promises': plain(500_000),
};

function ours(size: number): { size: number; make: () => Execute } {
  return {
    size,
    make: () => {
      const limit = bulkhead({ maxConcurrent: 1, maxQueue: size, maxWaitMs: 60_000 });
      return (fn) => limit.execute(fn);
    },
  };
}

function theirs(size: number): { size: number; make: () => Execute } {
  return {
    size,
    make: () => {
      const limit = cockatiel.bulkhead(1, size);
      return (fn) => limit.execute(fn);
    },
  };
}

/** The least that a queue can be: what it costs more for many is the collector's. */
function plain(size: number): { size: number; make: () => Execute } {
  return {
    size,
    make: () => {
      const waiting: (() => void)[] = [];
      let [first, busy] = [0, false];
      const run = (fn: () => unknown): Promise<unknown> =>
        (fn() as Promise<unknown>).then((value) => {
          waiting[first++]?.();
          return value;
        });
      return (fn) => {
        if (busy)
          return new Promise((resolve) =>
            waiting.push(() => {
              resolve(run(fn));
            }),
          );
        busy = true;
        return run(fn);
      };
    },
  };
}

/** Microseconds for each of `size` calls that wait behind one, and are then served. */
async function serve(size: number, execute: Execute): Promise<number> {
  globalThis.gc?.();
  const start = performance.now();
  let release: () => void = () => undefined;
  const calls = [execute(() => new Promise<void>((resolve) => (release = resolve)))];
  for (let index = 0; index < size; index++) calls.push(execute(succeed));
  release();
  await Promise.all(calls);
  return ((performance.now() - start) * 1000) / size;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const perItem = new Map<string, number[]>(Object.keys(queues).map((name) => [name, []]));
for (let round = 0; round < 6; round++) {
  for (const [name, { size, make }] of Object.entries(queues)) {
    // Small ones often, so that no figure is that of one lucky moment; the first round warms up.
    const repeats = Math.ceil(50_000 / size);
    let sum = 0;
    for (let repeat = 0; repeat < repeats; repeat++) sum += await serve(size, make());
    if (round > 0) perItem.get(name)?.push(sum / repeats);
  }
}
console.log('\nbulkhead: one call that waits and is served, by how many wait');
for (const [name, values] of perItem)
  console.log(`  ${name.padEnd(44)} ${median(values).toFixed(2).padStart(10)} us`);
const growthOf = (kind: string): number =>
  median(perItem.get(`500 k${kind}`) ?? []) / median(perItem.get(`1 k${kind}`) ?? []);
// Half a million promises survive the young collections, a thousand do not: that much growth is the collector's.
const growth = growthOf('') / growthOf(', an array of promises');
console.log(
  `  ${growth <= 1.25 ? 'met   ' : 'MISSED'} growth from 1 k to 500 k, ${growthOf('').toFixed(2)}x, against that of an array of promises: ${growth.toFixed(2)}x (goal <= 1.25x)`,
);
if (!(growth <= 1.25)) process.exitCode = 1;

/** Bytes of heap that one of them takes. */
function bytesEach(count: number, make: () => unknown): number {
  globalThis.gc?.();
  const before = process.memoryUsage();
  const kept = make();
  globalThis.gc?.();
  const after = process.memoryUsage();
  if (kept === undefined) throw new Error('nothing was kept');
  return (after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers) / count;
}

const keys = Array.from({ length: 100_000 }, (_, key) => `client ${key}`);
const map = bytesEach(keys.length, () => new Map(keys.map((key, index) => [key, index])));
const keyed = bytesEach(keys.length, () => {
  const limiter = keyedRateLimiter({ limit: 1, periodMs: 1e9, maxKeys: keys.length });
  for (const key of keys) limiter.tryAcquire(key);
  return limiter;
});
console.log(
  `\nkeyed rate limiter: ${keyed.toFixed(0)} B a key, of which ${map.toFixed(0)} B are a Map from key to number`,
);
