/** Runs inside the browser: the policies on the platform's own timers and signals. */
import { circuitBreaker } from '@mesh/circuit-breaker';
import {
  bulkhead,
  fallback,
  hedge,
  isBulkheadFullError,
  isTimeoutError,
  pipeline,
  rateLimiter,
  retry,
  standard,
  timeLimiter,
} from '@mesh/resilience';
import { check, pause } from './check.ts';

const errorOf = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);

export async function resilienceSmoke(): Promise<void> {
  let attempts = 0;
  const flaky = (): Promise<number> =>
    ++attempts < 3 ? Promise.reject(new Error('down')) : Promise.resolve(attempts);
  check('tries again', (await retry({ backoff: { baseMs: 1 } }).execute(flaky)) === 3);

  const quick = timeLimiter({ timeoutMs: 20 });
  const late = await errorOf(quick.execute(({ signal }) => fetch('/never', { signal })));
  check('limits the time of a fetch', isTimeoutError(late));

  const controller = new AbortController();
  const given = pipeline(retry(), quick).execute(({ signal }) => fetch('/never', { signal }), {
    signal: controller.signal,
  });
  controller.abort(new Error('left'));
  check('rejects with the reason of an abort', (await errorOf(given)) === controller.signal.reason);

  const one = bulkhead({ maxConcurrent: 1 });
  const first = one.execute(() => pause(20));
  check('refuses what is too much at once', isBulkheadFullError(await errorOf(one.execute(() => 1))));
  await first;
  check('and lets the next one in', (await one.execute(() => 1)) === 1);

  const limiter = rateLimiter({ limit: 2, periodMs: 60_000 });
  const passed = [1, 2, 3].filter(() => limiter.tryAcquire() !== undefined);
  check('limits the rate', passed.length === 2);

  let asked = 0;
  const second = hedge({ delayMs: 5 }).execute(() => (++asked === 1 ? pause(500).then(() => 1) : 2));
  check('asks again when it takes long', (await second) === 2);

  const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
  const down = pipeline(fallback('nothing'), standard({ breaker, retry: { maxAttempts: 1 } }));
  check('falls back', (await down.execute(() => Promise.reject(new Error('down')))) === 'nothing');
  check('and the breaker has learned', breaker.state === 'open');
}
