import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { attemptsOf } from './attempts.ts';
import type { CallContext } from './call.ts';
import type { HedgeOptions } from './hedge-options.ts';
import { hedge } from './hedge.ts';
import { RetryBudget } from './retry-budget.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { settle, VirtualTime } from './test-kit/virtual-time.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

const boom = new Error('boom');

function setup(options: HedgeOptions = {}) {
  const time = new VirtualTime();
  const policy = hedge({ clock: time, timers: time, delayMs: 100, ...options });
  const events: string[] = [];
  policy.on('hedge', ({ attempt, delayMs }) => events.push(`hedge ${attempt} after ${delayMs.toFixed(0)}`));
  policy.on('won', ({ attempt }) => events.push(`won ${attempt}`));
  policy.on('late', ({ result }) => events.push(result.ok ? 'late value' : `late ${String(result.error)}`));
  const attempts: (CallContext & ReturnType<typeof pending>)[] = [];
  const fn = (context: CallContext): Promise<unknown> => {
    const work = pending();
    const { attempt, deadline, signal } = context;
    attempts.push({ attempt, deadline, signal, ...work });
    return work.promise;
  };
  return { time, policy, events, attempts, fn };
}

describe('hedge', () => {
  test('a quick call is made once', async () => {
    const { time, policy, events } = setup();
    expect(await policy.execute(() => 1)).toBe(1);
    expect([time.pending, events]).toEqual([0, []]);
  });

  test('a slow call is made twice; the second wins, the first is aborted and its late value is disposed of', async () => {
    const disposed: string[] = [];
    const { time, policy, events, attempts, fn } = setup();
    const answer = policy.execute(fn);
    await time.advance(99);
    expect(attempts).toHaveLength(1);
    await time.advance(1);
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    attempts[1]?.resolve('second');
    expect(await answer).toBe('second');
    expect([attempts[0]?.signal.reason, attempts[1]?.signal.aborted]).toMatchObject([
      { name: 'AbortError' },
      false,
    ]);
    attempts[0]?.resolve({ [Symbol.dispose]: () => disposed.push('first') });
    await settle();
    expect([disposed, events]).toEqual([['first'], ['hedge 2 after 100', 'won 2', 'late value']]);
    expect(time.pending).toBe(0);
  });

  test('the first may still win, and the rejection of the loser is swallowed', async () => {
    const { time, policy, events, attempts, fn } = setup();
    const answer = policy.execute(fn);
    await time.advance(100);
    attempts[0]?.resolve('first');
    expect(await answer).toBe('first');
    attempts[1]?.reject(boom);
    await settle();
    expect(events).toEqual(['hedge 2 after 100', 'won 1', 'late Error: boom']);
  });

  test('at most maxExtra further attempts, each after another delay', async () => {
    const { time, policy, attempts, fn } = setup({ maxExtra: 2 });
    const answer = policy.execute(fn);
    await time.advance(1000);
    expect([attempts.length, time.pending]).toEqual([3, 0]);
    attempts[2]?.resolve(3);
    expect(await answer).toBe(3);
  });

  test('with a delay of 0 all start at once', async () => {
    const { policy, attempts, fn } = setup({ delayMs: 0, maxExtra: 2 });
    const answer = policy.execute(fn);
    expect(attempts).toHaveLength(3);
    attempts[1]?.resolve(2);
    expect(await answer).toBe(2);
  });

  test('a failure does not end the race while another attempt runs; when all have failed, the last error is thrown', async () => {
    const { time, policy, attempts, fn } = setup();
    const won = policy.execute(fn);
    await time.advance(100);
    attempts[0]?.reject(boom);
    await settle();
    attempts[1]?.resolve('second');
    expect(await won).toBe('second');
    const lost = policy.tryExecute(fn);
    await time.advance(100);
    attempts[3]?.reject(new Error('quicker'));
    await settle();
    attempts[2]?.reject(boom);
    expect(await lost).toEqual({ ok: false, error: boom });
    expect(attemptsOf(boom)).toBe(2);
  });

  test('all errors, when asked for', async () => {
    const { time, policy, attempts, fn } = setup({ throws: 'all' });
    const lost = policy.tryExecute(fn);
    await time.advance(100);
    attempts[0]?.reject('one');
    attempts[1]?.reject('two');
    expect(await lost).toMatchObject({ error: { errors: ['one', 'two'] } });
  });

  test('an early failure is not hedged: that is what a retry does', async () => {
    const { time, policy, events } = setup();
    await expect(policy.execute(() => Promise.reject(boom))).rejects.toBe(boom);
    expect([time.pending, events]).toEqual([0, []]);
  });

  test('a value that handle names does not win; it is disposed of when a better one comes, and answered when none does', async () => {
    const disposed: number[] = [];
    const value = (status: number) => ({ status, [Symbol.dispose]: () => disposed.push(status) });
    const handle: HedgeOptions['handle'] = (result) =>
      !result.ok || (result.value as { status: number }).status >= 500;
    const { time, policy, attempts, fn } = setup({ handle });
    const answer = policy.execute(fn);
    await time.advance(100);
    attempts[0]?.resolve(value(500));
    await settle();
    attempts[1]?.resolve(value(503));
    expect(await answer).toMatchObject({ status: 503 });
    await settle();
    expect(disposed).toEqual([500]);
    const better = policy.execute(fn);
    await time.advance(100);
    attempts[2]?.resolve(value(501));
    await settle();
    attempts[3]?.resolve(value(200));
    expect(await better).toMatchObject({ status: 200 });
    await settle();
    expect(disposed).toEqual([500, 501]);
  });

  test("the caller's abort ends all attempts, with its reason, and starts no more", async () => {
    const { time, policy, attempts, fn, events } = setup({ maxExtra: 2 });
    const user = caller();
    const answer = policy.tryExecute(fn, user);
    await time.advance(100);
    user.abort(boom);
    expect(await answer).toEqual({ ok: false, error: boom });
    expect(attempts.map(({ signal }) => signal.reason)).toEqual([boom, boom]);
    await time.advance(1000);
    expect([attempts.length, time.pending, user.listeners]).toEqual([2, 0, 0]);
    attempts[0]?.reject(boom);
    attempts[1]?.resolve(1);
    await settle();
    expect(events).toEqual(['hedge 2 after 100', 'late Error: boom', 'late value']);
  });

  test('without budget there is no further attempt', async () => {
    const budget = new RetryBudget({ minRetriesPerSecond: 0 });
    budget.tryWithdraw();
    const { time, policy, attempts, fn } = setup({ budget });
    const answer = policy.execute(fn);
    await time.advance(1000);
    expect(attempts).toHaveLength(1);
    attempts[0]?.resolve(1);
    expect(await answer).toBe(1);
  });
});

describe('hedge after a live quantile', () => {
  async function answers(
    count: number,
    ms: number,
    { time, policy }: ReturnType<typeof setup>,
  ): Promise<void> {
    for (let index = 0; index < count; index++) {
      const work = pending();
      time.set(() => {
        work.resolve(1);
      }, ms);
      const answer = policy.execute(() => work.promise);
      await time.advance(ms);
      await answer;
    }
  }

  test('waits for enough samples, then hedges what is slower than most', async () => {
    const all = setup({ delayMs: undefined as never, minSamples: 20 });
    const { time, policy, attempts, fn, events } = all;
    await answers(19, 40, all);
    expect(policy.delayMs).toBe(undefined);
    await answers(1, 40, all);
    expect(policy.delayMs).toBeGreaterThan(38);
    expect(policy.delayMs).toBeLessThan(42);
    const slow = policy.execute(fn);
    await time.advance(42);
    attempts[1]?.resolve('hedged');
    expect(await slow).toBe('hedged');
    expect(events.at(-1)).toBe('won 2');
  });

  test('a first attempt that was beaten counts as slow as it was until then, so that the quantile does not fall by hedging', async () => {
    const all = setup({ delayMs: undefined as never, minSamples: 20, quantileRatio: 0.5 });
    const { time, policy, attempts, fn } = all;
    await answers(20, 40, all);
    for (let index = 0; index < 60; index++) {
      const slow = policy.execute(fn);
      await time.advance(80);
      attempts.at(-1)?.resolve('hedged');
      await slow;
    }
    expect(policy.delayMs).toBeGreaterThan(70);
  });
});

test.each<[HedgeOptions, string]>([
  [{ delayMs: -1 }, 'delayMs must be a number from 0 to 2147483647, got -1'],
  [{ quantileRatio: 95 }, 'quantileRatio must be a number from 0 to 1, got 95'],
  [{ minSamples: 0 }, 'minSamples must be an integer >= 1, got 0'],
  [{ maxExtra: 11 }, 'maxExtra must be a number from 1 to 10, got 11'],
])('refuses %j', (options, message) => {
  expect(() => hedge(options)).toThrow(new RangeError(`hedge: ${message}`));
});
