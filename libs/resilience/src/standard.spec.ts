import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { circuitBreaker } from '@mesh/circuit-breaker';
import { fallback } from './fallback.ts';
import { pipeline } from './pipeline.ts';
import { retry } from './retry.ts';
import { standard, type StandardOptions } from './standard.ts';
import { settle, VirtualTime } from './test-kit/virtual-time.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { timeLimiter } from './time-limiter.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

const boom = new Error('boom');

function setup(options: StandardOptions = {}) {
  const time = new VirtualTime();
  const policy = standard({
    clock: time,
    timers: time,
    random: () => 0,
    totalTimeoutMs: 1000,
    attemptTimeoutMs: 100,
    ...options,
  });
  return { time, policy };
}

describe('standard', () => {
  test('an attempt that hangs is timed out and made again', async () => {
    const { time, policy } = setup();
    const seen: unknown[] = [];
    const answer = policy.execute(({ attempt, signal, deadline }) => {
      seen.push([attempt, signal.aborted, deadline]);
      return attempt === 1 ? pending().promise : 'second';
    });
    await time.advance(100);
    expect(await answer).toBe('second');
    expect(seen).toEqual([
      [1, false, 100],
      [2, false, 200],
    ]);
  });

  test('the total time ends it, whatever the attempts do', async () => {
    const { time, policy } = setup({
      retry: { maxAttempts: Infinity, backoff: { growth: 'constant', jitter: 'none' } },
    });
    const answer = policy.tryExecute(() => pending().promise);
    await time.advance(1000);
    expect(await answer).toMatchObject({ ok: false, error: { code: 'ERR_TIMEOUT' } });
    await time.advance(1000);
    expect(time.pending).toBe(0);
  });

  test('the breaker sees every attempt, and once it is open nothing is called and nothing waits', async () => {
    const breaker = circuitBreaker({ maximumFailuresAllowed: 3 });
    const { time, policy } = setup({ breaker });
    let calls = 0;
    const fail = () => {
      calls++;
      throw boom;
    };
    await Promise.all([policy.tryExecute(fail), time.advance(10)]);
    expect([calls, breaker.state]).toEqual([3, 'open']);
    expect(await policy.tryExecute(fail)).toMatchObject({ error: { code: 'ERR_CIRCUIT_OPEN' } });
    expect([calls, breaker.getSnapshot().totals.rejected]).toEqual([3, 1]);
  });

  test('the limiter refuses what is too much', async () => {
    const { policy } = setup({ limiter: { maxConcurrent: 1 } });
    void policy.tryExecute(() => pending().promise);
    expect(await policy.tryExecute(() => 1)).toMatchObject({ error: { code: 'ERR_BULKHEAD_FULL' } });
  });

  // cockatiel 4 B17: an abort by the caller counts as a failure, and opens the breaker.
  test("the caller's abort settles at once, frees the place and says nothing about the circuit", async () => {
    const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
    const { policy } = setup({ breaker, limiter: { maxConcurrent: 1 } });
    const user = caller();
    const hung = pending();
    const answer = policy.tryExecute(() => hung.promise, user);
    user.abort('enough');
    expect(await answer).toEqual({ ok: false, error: 'enough' });
    expect([breaker.state, user.listeners]).toEqual(['closed', 0]);
    hung.reject(boom);
    await settle();
    expect(await policy.tryExecute(() => 1)).toMatchObject({ ok: true });
    expect(breaker.state).toBe('closed');
  });

  test('a timeout of an attempt is a failure of the circuit', async () => {
    const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
    const { time, policy } = setup({ breaker });
    const answer = policy.tryExecute(() => pending().promise);
    await time.advance(100);
    expect(breaker.state).toBe('open');
    expect(await answer).toMatchObject({ error: { code: 'ERR_CIRCUIT_OPEN' } });
  });

  test('layers may be given as policies, and the result of a pipeline around it is widened', async () => {
    const { policy } = setup({ retry: retry({ maxAttempts: 1 }), breaker: circuitBreaker() });
    const whole = pipeline(fallback('none'), policy);
    const answer: number | string = await whole.execute((): number => {
      throw boom;
    });
    expect(answer).toBe('none');
  });

  test('works without options', async () => {
    expect(await standard().execute(() => 1)).toBe(1);
  });

  test.each<[StandardOptions, string]>([
    [
      { totalTimeoutMs: 100, attemptTimeoutMs: 200 },
      'standard: attemptTimeoutMs must be at most totalTimeoutMs (100), got 200',
    ],
    [{ totalTimeoutMs: 0 }, 'timeLimiter: timeoutMs must be a number > 0, got 0'],
    [{ limiter: { maxConcurrent: 0 } }, 'bulkhead: maxConcurrent must be an integer >= 1, got 0'],
  ])('refuses %j', (options, message) => {
    expect(() => standard(options)).toThrow(new RangeError(message));
  });
});

test('100 000 calls through retry, breaker and timeout on one signal leave no listener', async () => {
  const time = new VirtualTime();
  const layers = pipeline(
    retry({ clock: time, timers: time }),
    circuitBreaker(),
    timeLimiter({ timeoutMs: 100, clock: time, timers: time }),
  );
  const user = caller();
  for (let index = 0; index < 1e5; index++) await layers.execute(() => index, user);
  await time.advance(100);
  expect([user.listeners, time.pending]).toEqual([0, 0]);
});
