/**
 * What a circuit breaker adds to a call, beside the newest opossum and cockatiel on the same work. Every figure is a ratio to
 * a bare `await fn()` of the same run, `fn` an async function.
 */
import * as cockatiel from 'cockatiel';
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { contest, figure } from '../../../tools/contest.mts';
import {
  CircuitBreaker,
  failureCount,
  failureRate,
  slowCallRate,
  type CircuitBreakerOptions,
} from '../src/index.ts';

/** opossum ships no types. */
interface Opossum {
  fire(): Promise<number>;
  shutdown(): void;
}
const opossum = createRequire(import.meta.url)('opossum') as new (
  fn: () => Promise<number>,
  options: object,
) => Opossum;

const boom = new Error('boom');
// eslint-disable-next-line @typescript-eslint/require-await -- the bare call of the comparison is an async function
const succeed = async (): Promise<number> => 1;
// eslint-disable-next-line @typescript-eslint/require-await -- as above
const fail = async (): Promise<number> => {
  throw boom;
};

/** Nothing trips it, so that every call goes the whole way through its window. */
const lasting = { ratio: 1, minimumCalls: 1e9 };
const rules = {
  'count(100)': { tripWhen: failureRate({ ratio: 1, minimumCalls: 100, windowCalls: 100 }) },
  'time(30 s)': { tripWhen: failureRate({ ...lasting, windowMs: 30_000 }) },
  'time + slow': { tripWhen: slowCallRate({ ...lasting, slowAfterMs: 60_000, windowMs: 30_000 }) },
} satisfies Record<string, CircuitBreakerOptions>;
const never = { tripWhen: failureCount({ failures: 1e9 }) };

const retryAll = cockatiel.handleAll;
const peer = (breaker: cockatiel.IBreaker) =>
  cockatiel.circuitBreaker(retryAll, { halfOpenAfter: 1e9, breaker });
const peers = {
  consecutive: peer(new cockatiel.ConsecutiveBreaker(1e9)),
  count: peer(new cockatiel.CountBreaker({ threshold: 0.999, size: 100 })),
  sampling: peer(new cockatiel.SamplingBreaker({ threshold: 0.999, duration: 30_000, minimumRps: 1e9 })),
};
const tuned = { timeout: false, enableSnapshots: false, rollingPercentilesEnabled: false };
const fires = new opossum(succeed, { ...tuned, volumeThreshold: 1e9 });
const firesAndFails = new opossum(fail, { ...tuned, volumeThreshold: 1e9 });

const calls = (name: string, call: () => Promise<unknown>) => ({
  name,
  run: async (iterations: number) => {
    for (let index = 0; index < iterations; index++) await call();
  },
});
const failing = (name: string, call: () => Promise<unknown>) => ({
  name,
  run: async (iterations: number) => {
    for (let index = 0; index < iterations; index++) {
      try {
        await call();
      } catch {
        // The failure is what is measured.
      }
    }
  },
});

const usual = new CircuitBreaker();
const count = new CircuitBreaker(rules['count(100)']);
const time = new CircuitBreaker(rules['time(30 s)']);
const slow = new CircuitBreaker(rules['time + slow']);
await contest(
  'closed, success',
  [
    calls('bare', succeed),
    calls('ours, defaults', () => usual.execute(succeed)),
    calls('ours, count(100)', () => count.execute(succeed)),
    calls('ours, time(30 s)', () => time.execute(succeed)),
    calls('ours, time + slow', () => slow.execute(succeed)),
    calls('cockatiel, consecutive', () => peers.consecutive.execute(succeed)),
    calls('cockatiel, count(100)', () => peers.count.execute(succeed)),
    calls('cockatiel, sampling(30 s)', () => peers.sampling.execute(succeed)),
    calls('opossum, tuned', () => fires.fire()),
  ],
  [
    { of: 'ours, count(100)', against: 'bare', atMost: 2 },
    { of: 'ours, time(30 s)', against: 'bare', atMost: 2.8 },
    { of: 'ours, time + slow', against: 'bare', atMost: 4 },
  ],
  { judgedBy: 'quiet' },
);

const failingCount = new CircuitBreaker({ tripWhen: failureCount({ failures: 101, windowCalls: 100 }) });
const failingTime = new CircuitBreaker(never);
await contest(
  'closed, failure',
  [
    failing('bare', fail),
    failing('ours, count(100)', () => failingCount.execute(fail)),
    failing('ours, time(30 s)', () => failingTime.execute(fail)),
    failing('cockatiel, consecutive', () => peers.consecutive.execute(fail)),
    failing('opossum, tuned', () => firesAndFails.fire()),
  ],
  [
    { of: 'ours, count(100)', against: 'bare', atMost: 1.5 },
    { of: 'ours, time(30 s)', against: 'bare', atMost: 1.5 },
  ],
  { judgedBy: 'quiet' },
);

const open = new CircuitBreaker({ maximumFailuresAllowed: 1, resetTimeoutInMilliseconds: 1e9 });
await open.execute(fail).catch(() => undefined);
const openPeer = cockatiel.circuitBreaker(retryAll, {
  halfOpenAfter: 1e9,
  breaker: new cockatiel.ConsecutiveBreaker(1),
});
await openPeer.execute(fail).catch(() => undefined);
const openOpossum = new opossum(fail, { ...tuned, resetTimeout: 1e9 });
await openOpossum.fire().catch(() => undefined);
await contest(
  'open: what a refusal costs, against a bare success',
  [
    calls('bare', succeed),
    failing('ours, thrown', () => open.execute(succeed)),
    calls('ours, as outcome', () => open.tryExecute(succeed)),
    {
      name: 'ours, tryAcquire',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) open.tryAcquire();
      },
    },
    failing('cockatiel, thrown', () => openPeer.execute(succeed)),
    failing('opossum, thrown', () => openOpossum.fire()),
  ],
  [
    { of: 'ours, thrown', against: 'bare', atMost: 25 },
    { of: 'ours, as outcome', against: 'bare', atMost: 1.5 },
    { of: 'ours, tryAcquire', against: 'bare', atMost: 0.1 },
  ],
  { judgedBy: 'quiet' },
);

const heard = new CircuitBreaker();
let events = 0;
heard.on('success', () => events++);
const { signal } = new AbortController();
await contest('closed, success, with more', [
  calls('bare', succeed),
  calls('ours, with a listener', () => heard.execute(succeed)),
  calls('ours, with a signal', () => usual.execute(succeed, { signal })),
  calls('ours, as outcome', () => usual.tryExecute(succeed)),
  {
    name: 'ours, tryAcquire and settle',
    run: (iterations) => {
      for (let index = 0; index < iterations; index++) usual.tryAcquire()?.settle('success');
    },
  },
]);

console.log('\nmemory');
const gc = globalThis.gc ?? (() => undefined);
async function bytesPerCall(call: () => Promise<unknown>): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < 15; round++) {
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 2_000; index++) await call();
    samples.push((process.memoryUsage().heapUsed - before) / 2_000);
  }
  return samples.sort((a, b) => a - b)[7] ?? NaN;
}
const bare = await bytesPerCall(succeed);
const above = async (call: () => Promise<unknown>) => (await bytesPerCall(call)) - bare;
figure('bytes a call above bare, count(100)', await above(() => count.execute(succeed)), 120);
figure('bytes a call above bare, time(30 s)', await above(() => time.execute(succeed)), 120);
figure('bytes a call above bare, time + slow', await above(() => slow.execute(succeed)), 300);
figure('bytes a call above bare, cockatiel count(100)', await above(() => peers.count.execute(succeed)));
figure('bytes a call above bare, opossum tuned', await above(() => fires.fire()));

const crowd = 10_000;
async function bytesEach(make: () => { use(): Promise<unknown> }): Promise<number> {
  gc();
  const before = process.memoryUsage().heapUsed;
  const all = Array.from({ length: crowd }, make);
  for (const each of all) await each.use();
  gc();
  return (process.memoryUsage().heapUsed - before) / all.length;
}
figure(
  'bytes a breaker, its window in use',
  await bytesEach(() => {
    const breaker = new CircuitBreaker();
    return {
      use: () => {
        breaker.tryAcquire()?.settle('failure');
        return Promise.resolve();
      },
    };
  }),
  600,
);
figure(
  'bytes a breaker, time + slow, used by execute',
  await bytesEach(() => {
    const breaker = new CircuitBreaker(rules['time + slow']);
    return { use: () => breaker.execute(succeed) };
  }),
);
const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
const idle = Array.from({ length: crowd }, () => new CircuitBreaker());
for (const breaker of idle) await breaker.execute(succeed);
const more = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length - timers;
figure(`timers of ${idle.length} breakers`, more, 0);
const cpu = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, 1_000));
const { user, system } = process.cpuUsage(cpu);
figure(`CPU of ${idle.length} idle breakers and this process, % of a core`, (user + system) / 1e4, 1);

async function minified(source: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: join(import.meta.dirname, '..') },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    conditions: ['@mesh/source'],
    logLevel: 'silent',
  });
  return gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length / 1000;
}
console.log('\nsize, kB min+gzip');
figure(
  'ours, the breaker alone',
  await minified(`export { circuitBreaker } from '@mesh/circuit-breaker'`),
  2.5,
);
figure('ours, everything', await minified(`export * from '@mesh/circuit-breaker'`));
figure(
  'cockatiel, its breaker alone',
  await minified(`export { circuitBreaker, ConsecutiveBreaker, handleAll } from 'cockatiel'`),
);
fires.shutdown();
firesAndFails.shutdown();
openOpossum.shutdown();
