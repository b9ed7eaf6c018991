/**
 * What policies add to a call that succeeds, beside the newest cockatiel and opossum on the same work. Every figure is a ratio to a bare
 * `await fn()` of the same run; the quiet figures are judged, since on a shared machine the collector's threads find no core.
 */
import { circuitBreaker } from '@mesh/circuit-breaker';
import * as cockatiel from 'cockatiel';
import { createRequire } from 'node:module';
import { getHeapStatistics } from 'node:v8';
import { contest, figure } from '../../../tools/contest.mts';
import {
  bulkhead,
  fallback,
  hedge,
  pipeline,
  retry,
  RetryBudget,
  standard,
  timeLimiter,
} from '../src/index.ts';

/** opossum ships no types. */
const Opossum = createRequire(import.meta.url)('opossum') as new (
  action: () => Promise<number>,
  options: object,
) => { fire(): Promise<number>; shutdown(): void };

// The function of an anchor's example: asynchronous, and as cheap as that can be.
// eslint-disable-next-line @typescript-eslint/require-await -- that is what makes it asynchronous
const fn = async (): Promise<number> => 1;

const timeoutMs = 10_000;
const { signal } = new AbortController();
const limiter = timeLimiter({ timeoutMs });
const cooperative = timeLimiter({ timeoutMs, mode: 'cooperative' });
const again = retry();
const budgeted = retry({ budget: new RetryBudget() });
const none = pipeline();
const three = pipeline(retry(), circuitBreaker(), timeLimiter({ timeoutMs }));
const five = pipeline(fallback(0), bulkhead(), retry(), circuitBreaker(), timeLimiter({ timeoutMs }));
const usual = standard();
const hedged = hedge({ delayMs: 1000 });

const all = cockatiel.handleAll;
const peer = {
  retry: () => cockatiel.retry(all, { maxAttempts: 2, backoff: new cockatiel.ExponentialBackoff() }),
  breaker: () =>
    cockatiel.circuitBreaker(all, { halfOpenAfter: 30_000, breaker: new cockatiel.ConsecutiveBreaker(3) }),
  timeout: (strategy = cockatiel.TimeoutStrategy.Aggressive) => cockatiel.timeout(timeoutMs, strategy),
};
const theirs = {
  retry: peer.retry(),
  aggressive: peer.timeout(),
  cooperative: peer.timeout(cockatiel.TimeoutStrategy.Cooperative),
  three: cockatiel.wrap(peer.retry(), peer.breaker(), peer.timeout()),
  five: cockatiel.wrap(
    cockatiel.fallback(all, 0),
    cockatiel.bulkhead(10),
    peer.retry(),
    peer.breaker(),
    peer.timeout(),
  ),
};
const opossum = new Opossum(fn, { timeout: timeoutMs });

const calls: Readonly<Record<string, () => unknown>> = {
  bare: fn,
  'pipeline() of nothing': () => none.execute(fn),
  'time limiter, race': () => limiter.execute(fn),
  'time limiter, cooperative': () => cooperative.execute(fn),
  'time limiter, signal read': () => limiter.execute(({ signal: own }) => (own.aborted ? fn() : fn())),
  "time limiter, with a caller's signal": () => limiter.execute(fn, { signal }),
  'cockatiel timeout, aggressive': () => theirs.aggressive.execute(fn),
  'cockatiel timeout, cooperative': () => theirs.cooperative.execute(fn),
  'retry, first try': () => again.execute(fn),
  'retry with a budget, first try': () => budgeted.execute(fn),
  'cockatiel retry, first try': () => theirs.retry.execute(fn),
  'hedge, quick answer': () => hedged.execute(fn),
  'retry + breaker + timeout': () => three.execute(fn),
  'cockatiel retry + breaker + timeout': () => theirs.three.execute(fn),
  'opossum breaker + timeout': () => opossum.fire(),
  'fallback + bulkhead + retry + breaker + timeout': () => five.execute(fn),
  'cockatiel, the same five': () => theirs.five.execute(fn),
  'standard()': () => usual.execute(fn),
};

await contest(
  'resilience: one call that succeeds, ratios to a bare `await fn()`',
  Object.entries(calls).map(([name, call]) => ({ name, run: loop(call) })),
  [
    { of: 'time limiter, race', against: 'bare', atMost: 6 },
    { of: 'time limiter, cooperative', against: 'bare', atMost: 6 },
    { of: 'retry, first try', against: 'bare', atMost: 3 },
    { of: 'retry + breaker + timeout', against: 'bare', atMost: 9 },
    { of: 'fallback + bulkhead + retry + breaker + timeout', against: 'bare', atMost: 14 },
    { of: 'time limiter, race', against: 'cockatiel timeout, aggressive', atMost: 0.5 },
    { of: 'retry, first try', against: 'cockatiel retry, first try', atMost: 1 },
    { of: 'retry + breaker + timeout', against: 'cockatiel retry + breaker + timeout', atMost: 0.5 },
  ],
  { rounds: 45, batchMs: 8, judgedBy: 'quiet' },
);

/** A loop of its own for each contender: one that serves them all would be optimised for none. */
function loop(call: () => unknown): (iterations: number) => Promise<void> {
  const body = `return async (n) => { for (let i = 0; i < n; i++) await call(); }`;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- the text above and nothing else
  return new Function('call', body)(call) as (iterations: number) => Promise<void>;
}

const byteGoals: Readonly<Record<string, number>> = {
  'time limiter, race': 1100,
  'retry + breaker + timeout': 1600,
};
console.log('\nbytes that a call allocates, the bare one included');
for (const [name, call] of Object.entries(calls)) {
  figure(`bytes a call: ${name}`, await bytesPerCall(call), byteGoals[name]);
}
opossum.shutdown();

/** By the engine's own count of all that was ever allocated. */
async function bytesPerCall(call: () => unknown): Promise<number> {
  const count = 20_000;
  const run = loop(call);
  await run(count);
  const before = getHeapStatistics().total_allocated_bytes;
  await run(count);
  return (getHeapStatistics().total_allocated_bytes - before) / count;
}
