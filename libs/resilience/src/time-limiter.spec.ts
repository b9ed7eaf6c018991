import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { CallContext } from './call.ts';
import { pipeline } from './pipeline.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { settle, VirtualTime } from './test-kit/virtual-time.ts';
import { timeLimiter, type TimeLimiterOptions } from './time-limiter.ts';
import { isTimeoutError, TimeoutError } from './timeout-error.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

const boom = new Error('boom');

function setup(options: Partial<TimeLimiterOptions> = {}) {
  const time = new VirtualTime();
  const policy = timeLimiter({ timeoutMs: 100, clock: time, timers: time, ...options });
  const events: string[] = [];
  policy.on('timeout', ({ error }) => events.push(error.message));
  policy.on('late', ({ result }) => events.push(result.ok ? 'late value' : `late ${String(result.error)}`));
  return { time, policy, events };
}

/** A function that hangs until the test settles it, and what it was given. */
function hanging() {
  const contexts: CallContext[] = [];
  const work = pending();
  return {
    ...work,
    contexts,
    fn: (context: CallContext) => {
      contexts.push(context);
      return work.promise;
    },
  };
}

describe('timeLimiter, race', () => {
  test('rejects when the time is up, and tells the function why', async () => {
    const { time, policy, events } = setup();
    const { fn, contexts } = hanging();
    const answer = policy.tryExecute((context) => {
      expect(context.signal.aborted).toBe(false);
      return fn(context);
    });
    await time.advance(99);
    expect(contexts[0]?.signal.aborted).toBe(false);
    await time.advance(1);
    const outcome = await answer;
    const error = (outcome as { error: TimeoutError }).error;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(isTimeoutError(error)).toBe(true);
    expect([error.name, error.code, error.timeoutMs, error.message, error.stack]).toEqual([
      'TimeoutError',
      'ERR_TIMEOUT',
      100,
      'no answer within 100 ms',
      'TimeoutError: no answer within 100 ms',
    ]);
    expect(contexts[0]?.signal.reason).toBe(error);
    expect(events).toEqual(['no answer within 100 ms']);
  });

  test('values and errors in time pass through', async () => {
    const { time, policy, events } = setup();
    expect(await policy.execute(() => 1)).toBe(1);
    await expect(policy.execute(() => Promise.reject(boom))).rejects.toBe(boom);
    await time.advance(1000);
    expect([events, time.pending]).toEqual([[], 0]);
  });

  // cockatiel 4 aborts on every return (cockatiel#72), which cuts the body of a response that is still read.
  test('a success never aborts the signal: a streaming body is not cut', async () => {
    const { time, policy } = setup();
    const signal = await policy.execute((context) => context.signal);
    await time.advance(10_000);
    expect(signal.aborted).toBe(false);
  });

  test('a body that is still read is cut when its caller gives up after the answer', async () => {
    const { policy } = setup();
    const user = caller();
    const signal = await policy.execute((context) => context.signal, user);
    expect([signal.aborted, user.listeners]).toEqual([false, 0]);
    user.abort('enough');
    expect(signal.reason).toBe('enough');
  });

  // opossum 10 B6: one controller for all calls, so that one timeout aborts 4 of 4 calls in flight and every later one.
  test('one timeout aborts its own call only', async () => {
    const { time, policy } = setup();
    const slow = hanging();
    const quick = hanging();
    const first = policy.tryExecute(slow.fn);
    await time.advance(50);
    const second = policy.tryExecute(quick.fn);
    await time.advance(50);
    expect((await first).ok).toBe(false);
    expect([slow.contexts[0]?.signal.aborted, quick.contexts[0]?.signal.aborted]).toEqual([true, false]);
    quick.resolve('done');
    expect(await second).toEqual({ ok: true, value: 'done' });
    expect(await policy.execute(({ signal }) => signal.aborted)).toBe(false);
  });

  // cockatiel 4 reports a timeout and an abort by the caller as the same class with the same message.
  test("the caller's abort keeps its reason", async () => {
    const { time, policy, events } = setup();
    const user = caller();
    const { fn, contexts } = hanging();
    const answer = policy.tryExecute(fn, user);
    await time.advance(10);
    user.abort(boom);
    expect(await answer).toEqual({ ok: false, error: boom });
    expect([contexts[0]?.signal.reason, user.listeners, events]).toEqual([boom, 0, []]);
  });

  test('a late value is disposed of and told, a late rejection is swallowed and told', async () => {
    const disposed: string[] = [];
    const { time, policy, events } = setup();
    const [value, error] = [hanging(), hanging()];
    const answers = [policy.tryExecute(value.fn), policy.tryExecute(error.fn)];
    await time.advance(100);
    for (const answer of answers) expect((await answer).ok).toBe(false);
    value.resolve({ [Symbol.asyncDispose]: () => Promise.resolve(disposed.push('value')) });
    error.reject(boom);
    await settle();
    expect(disposed).toEqual(['value']);
    expect(events.slice(2)).toEqual(['late value', 'late Error: boom']);
  });

  test('a listener that throws does not spoil the timeout of another call', async () => {
    const { time, policy } = setup();
    policy.on('timeout', () => {
      throw boom;
    });
    const answers = [policy.tryExecute(hanging().fn), policy.tryExecute(hanging().fn)];
    await time.advance(100);
    for (const answer of answers) expect(await answer).toMatchObject({ error: { code: 'ERR_TIMEOUT' } });
  });
});

describe('timeLimiter, cooperative', () => {
  const mode = 'cooperative';

  test('awaits the function: what it throws is the cause, what it returns is the answer', async () => {
    const { time, policy } = setup({ mode });
    const [failing, stubborn, obedient] = [hanging(), hanging(), hanging()];
    const answers = [failing, stubborn, obedient].map(({ fn }) => policy.tryExecute(fn));
    await time.advance(150);
    failing.reject(boom);
    stubborn.resolve('late');
    const reason = obedient.contexts[0]?.signal.reason;
    obedient.reject(reason);
    expect(await answers[0]).toMatchObject({ error: { code: 'ERR_TIMEOUT', cause: boom } });
    expect(await answers[1]).toEqual({ ok: true, value: 'late' });
    expect(await answers[2]).toEqual({ ok: false, error: reason });
  });

  test('in time it changes nothing', async () => {
    const { time, policy } = setup({ mode });
    expect(await policy.execute(() => 1)).toBe(1);
    await expect(policy.execute(() => Promise.reject(boom))).rejects.toBe(boom);
    await time.advance(1000);
    expect(time.pending).toBe(0);
  });
});

describe('timeLimiter, the time', () => {
  test('may be a function of the call', async () => {
    const { time, policy, events } = setup({ timeoutMs: ({ attempt }) => attempt * 30 });
    const answer = policy.tryExecute(hanging().fn);
    const inTime = policy.execute(() => 1);
    expect([await inTime, time.pending]).toEqual([1, 1]);
    await time.advance(30);
    expect((await answer).ok).toBe(false);
    expect([events, time.pending]).toEqual([['no answer within 30 ms'], 0]);
  });

  test('Infinity is no limit, 0 is none left', async () => {
    const { time, policy } = setup({ timeoutMs: () => Infinity });
    expect(await policy.execute(({ deadline }) => deadline)).toBe(undefined);
    expect(time.pending).toBe(0);
    const none = setup({ timeoutMs: () => 0 });
    const answer = none.policy.tryExecute(hanging().fn);
    await none.time.advance(0);
    expect((await answer).ok).toBe(false);
  });

  test('a function that answers nonsense rejects the call', async () => {
    for (const answer of [NaN, -1]) {
      const { policy } = setup({ timeoutMs: () => answer });
      await expect(policy.execute(() => 1)).rejects.toThrow(
        new RangeError(`timeLimiter: timeoutMs must be a number >= 0, got ${answer}`),
      );
    }
  });

  test('the deadline is handed on, and an outer one that is earlier stays', async () => {
    const { time, policy } = setup();
    const outer = timeLimiter({ timeoutMs: 60, clock: time, timers: time });
    await time.advance(5);
    expect(await policy.execute(({ deadline }) => deadline)).toBe(105);
    expect(await pipeline(outer, policy).execute(({ deadline }) => deadline)).toBe(65);
    expect(await pipeline(policy, outer).execute(({ deadline }) => deadline)).toBe(65);
  });

  test('the outer of two limits is told to the function through the inner one', async () => {
    const { time, policy } = setup();
    const outer = timeLimiter({ timeoutMs: 60, clock: time, timers: time });
    const { fn, contexts } = hanging();
    const answer = pipeline(outer, policy).tryExecute((context) => {
      expect(context.signal.aborted).toBe(false);
      return fn(context);
    });
    await time.advance(60);
    expect(await answer).toMatchObject({ error: { timeoutMs: 60 } });
    expect(contexts[0]?.signal.reason).toMatchObject({ timeoutMs: 60 });
  });

  test('one timer, however many calls, and none when nothing is under way', async () => {
    const { time, policy } = setup();
    const works = Array.from({ length: 1000 }, () => hanging());
    const answers = works.map(({ fn }) => policy.tryExecute(fn));
    expect(time.pending).toBe(1);
    for (const { resolve } of works) resolve(1);
    await Promise.all(answers);
    await time.advance(50);
    expect(time.pending).toBe(0);
  });

  test('any schedule of starts and ends: each call times out exactly when the naive rule says', async () => {
    const schedule = fc.array(fc.record({ startsAt: fc.nat(300), takes: fc.nat(250) }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(schedule, fc.boolean(), async (calls, own) => {
        const { time, policy } = setup({ timeoutMs: own ? () => 100 : 100 });
        const ends: (string | undefined)[] = calls.map(() => undefined);
        for (const [index, { startsAt, takes }] of calls.entries()) {
          time.set(() => {
            const work = hanging();
            time.set(() => {
              work.resolve(1);
            }, takes);
            void policy.tryExecute(work.fn).then(({ ok }) => {
              ends[index] = `${ok ? 'value' : 'timeout'} at ${time.now()}`;
            });
          }, startsAt);
        }
        await time.advance(1000);
        const expected = calls.map(({ startsAt, takes }) =>
          takes < 100
            ? `value at ${startsAt + takes}`
            : takes > 100
              ? `timeout at ${startsAt + 100}`
              : 'either',
        );
        // At the very moment of the limit, either may come first.
        expect(ends.map((end, index) => (calls[index]?.takes === 100 ? 'either' : end))).toEqual(expected);
        expect(time.pending).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

test('100 000 calls on one signal leave no listener and no timer', async () => {
  const { time, policy } = setup();
  const user = caller();
  for (let index = 0; index < 1e5; index++) await policy.execute(() => index, user);
  await time.advance(100);
  expect([user.listeners, time.pending]).toEqual([0, 0]);
});

test.each<[Partial<TimeLimiterOptions>, string]>([
  [{ timeoutMs: 0 }, 'timeoutMs must be a number > 0, got 0'],
  [{ timeoutMs: NaN }, 'timeoutMs must be a number > 0, got NaN'],
  [{ mode: 'aggressive' as never }, 'mode must be race or cooperative, got aggressive'],
])('refuses %j', (options, message) => {
  expect(() => timeLimiter({ timeoutMs: 1, ...options })).toThrow(new RangeError(`timeLimiter: ${message}`));
});
