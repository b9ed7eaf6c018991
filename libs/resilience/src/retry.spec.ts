import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { attemptsOf } from './attempts.ts';
import type { CallResult } from './call.ts';
import { pipeline } from './pipeline.ts';
import type { Policy } from './policy.ts';
import { RetryBudget } from './retry-budget.ts';
import type { RetryOptions } from './retry-options.ts';
import { retry } from './retry.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { settle, VirtualTime } from './test-kit/virtual-time.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

const boom = new Error('boom');

/** A function that does this, then that, then the last for ever. */
function script<T>(...steps: (() => T)[]): (() => T) & { calls: number } {
  const run = Object.assign((): T => (steps[run.calls++] ?? steps.at(-1)!)(), { calls: 0 });
  return run;
}
const fail =
  (error: unknown = boom) =>
  (): never => {
    throw error;
  };

function setup(options: RetryOptions = {}) {
  const time = new VirtualTime();
  const policy = retry({
    clock: time,
    timers: time,
    random: () => 0.5,
    backoff: { jitter: 'none' },
    ...options,
  });
  const events: string[] = [];
  policy.on('retry', ({ attempt, delayMs }) => events.push(`retry ${attempt} after ${delayMs}`));
  policy.on('giveUp', ({ attempts, reason }) => events.push(`${reason} after ${attempts}`));
  policy.on('fault', ({ error }) => events.push(String(error)));
  return { time, policy, events };
}

describe('retry', () => {
  test('a first success costs no timer', async () => {
    const { time, policy, events } = setup();
    expect(await policy.execute(() => 1)).toBe(1);
    expect([time.pending, events]).toEqual([0, []]);
  });

  test('waits longer each time, counts the attempts, and answers the first success', async () => {
    const { time, policy, events } = setup({ maxAttempts: 4 });
    const attempts: number[] = [];
    const answer = policy.execute(({ attempt }) => {
      attempts.push(attempt);
      if (attempt < 4) throw boom;
      return 'done';
    });
    await time.advance(99);
    expect(attempts).toEqual([1]);
    await time.advance(601);
    expect(await answer).toBe('done');
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(events).toEqual(['retry 2 after 100', 'retry 3 after 200', 'retry 4 after 400']);
    expect(time.pending).toBe(0);
  });

  test('the last error is thrown as it is, and its attempts are known beside it', async () => {
    const { time, policy, events } = setup();
    const frozen = Object.freeze(new Error('frozen'));
    const answer = policy.tryExecute(script(fail(), fail(), fail(frozen)));
    await time.advance(1000);
    expect(await answer).toEqual({ ok: false, error: frozen });
    expect([attemptsOf(frozen), attemptsOf(boom), attemptsOf('text')]).toEqual([3, undefined, undefined]);
    expect(events.at(-1)).toBe('attempts after 3');
  });

  test('all errors, when asked for, with the last as the cause; one error stays itself', async () => {
    const { time, policy } = setup({ throws: 'all', maxAttempts: 2 });
    const [first, last] = [new Error('first'), new Error('last')];
    const answer = policy.tryExecute(script(fail(first), fail(last)));
    await time.advance(100);
    const { error } = (await answer) as { error: AggregateError };
    expect(error).toBeInstanceOf(AggregateError);
    expect([error.errors, error.cause, attemptsOf(error)]).toEqual([[first, last], last, 2]);
    expect(await setup({ throws: 'all', maxAttempts: 1 }).policy.tryExecute(fail())).toEqual({
      ok: false,
      error: boom,
    });
  });

  test('AggregateError keeps the latest 100 errors', async () => {
    const { time, policy } = setup({ throws: 'all', maxAttempts: 250, backoff: { baseMs: 0 } });
    let calls = 0;
    const answer = policy.tryExecute(() => {
      throw new Error(String(++calls));
    });
    await time.advance(1);
    const { error } = (await answer) as { error: AggregateError };
    expect([error.errors.length, String(error.errors[0]), attemptsOf(error)]).toEqual([
      100,
      'Error: 151',
      250,
    ]);
  });

  test('an error that handle does not name is thrown at once', async () => {
    const { policy, events } = setup({ handle: (result) => !result.ok && result.error !== boom });
    await expect(policy.execute(fail())).rejects.toBe(boom);
    expect(events).toEqual(['not-handled after 1']);
  });

  test('a value may be a failure: it is disposed before the next attempt, and the last one is answered', async () => {
    const disposed: number[] = [];
    const answerOf = (status: number): { status: number; [Symbol.dispose](): void } => ({
      status,
      [Symbol.dispose]: () => disposed.push(status),
    });
    const handle = (result: CallResult): boolean =>
      !result.ok || (result.value as { status: number }).status >= 500;
    const { time, policy } = setup({ handle });
    const good = policy.execute(
      script(
        () => answerOf(500),
        fail(),
        () => answerOf(200),
      ),
    );
    await time.advance(100);
    expect(disposed).toEqual([500]);
    await time.advance(200);
    expect([(await good).status, disposed]).toEqual([200, [500]]);
    const bad = policy.execute(
      script(
        () => answerOf(501),
        () => answerOf(502),
        () => answerOf(503),
      ),
    );
    await time.advance(300);
    expect([(await bad).status, disposed]).toEqual([503, [500, 501, 502]]);
  });

  test('a predicate that throws changes nothing, and is told', async () => {
    const { time, policy, events } = setup({
      maxAttempts: 2,
      handle: () => {
        throw new Error('handle');
      },
    });
    expect(await policy.execute(() => 1)).toBe(1);
    const answer = policy.execute(script(fail(), () => 2));
    await time.advance(100);
    expect(await answer).toBe(2);
    expect(events).toContain('Error: handle');
  });

  test('a listener that throws changes nothing', async () => {
    const { time, policy, events } = setup();
    policy.on('retry', () => {
      throw new Error('listener');
    });
    const answer = policy.execute(script(fail(), () => 2));
    await time.advance(100);
    expect(await answer).toBe(2);
    expect(events).toContain('Error: listener');
  });
});

describe('retry and time', () => {
  // cockatiel 4 B16: aborted at 50 ms it settles at 600 ms, calls once more, and rejects with the work's error.
  test('an abort wakes the sleep at once, rejects with its reason, and nothing is called again', async () => {
    const { time, policy } = setup({ backoff: { growth: 'constant', baseMs: 600, jitter: 'none' } });
    const user = caller();
    const work = script(fail());
    const answer = policy.tryExecute(work, user);
    await time.advance(50);
    user.abort('enough');
    expect(await answer).toEqual({ ok: false, error: 'enough' });
    expect([time.pending, user.listeners]).toEqual([0, 0]);
    await time.advance(1000);
    expect(work.calls).toBe(1);
  });

  test('an abort during an attempt is the end, also when the attempt fails or succeeds afterwards', async () => {
    const disposed: string[] = [];
    for (const end of ['resolve', 'reject'] as const) {
      const { time, policy, events } = setup({ handle: () => true });
      const user = caller();
      const late = pending();
      const work = script<unknown>(fail(), () => late.promise);
      const answer = policy.tryExecute(work, user);
      await time.advance(100);
      user.abort('enough');
      expect(await answer).toEqual({ ok: false, error: 'enough' });
      late[end]({ [Symbol.dispose]: () => disposed.push(end) });
      await time.advance(10_000);
      expect([work.calls, time.pending, events]).toEqual([2, 0, ['retry 2 after 100']]);
    }
    expect(disposed).toEqual(['resolve']);
  });

  test('the end of an outer call ends the sleep too', async () => {
    const { time, policy } = setup();
    const outer: Policy = {
      layer: (next) => (call) => {
        const child = call.child();
        time.set(() => {
          child.abort('outer');
        }, 50);
        return next(child);
      },
    };
    const answer = pipeline(outer, policy).tryExecute(fail());
    await time.advance(50);
    expect(await answer).toEqual({ ok: false, error: 'outer' });
    expect(time.pending).toBe(0);
  });

  test('gives up when the next delay does not fit into the total time', async () => {
    const { time, policy, events } = setup({ maxAttempts: Infinity, maxTotalMs: 701 });
    const answer = policy.tryExecute(fail());
    await time.advance(700);
    expect(await answer).toEqual({ ok: false, error: boom });
    expect(events.at(-1)).toBe('time after 4');
    expect([time.now(), time.pending]).toEqual([700, 0]);
  });

  test('gives up when the next delay does not fit before the deadline of the call', async () => {
    const { time, policy, events } = setup();
    const limited: Policy = { layer: (next) => (call) => next(call.child({ deadline: 300 })) };
    const answer = pipeline(limited, policy).tryExecute(fail());
    await time.advance(100);
    expect(await answer).toEqual({ ok: false, error: boom });
    expect(events).toEqual(['retry 2 after 100', 'time after 2']);
  });

  test('waits as long as the other side asks, but not shorter than it would', async () => {
    const { time, policy, events } = setup({ maxAttempts: 3 });
    const answer = policy.execute(
      script(fail({ retryAfterMs: 5000 }), fail({ retryAfterMs: 1 }), () => 'done'),
    );
    await time.advance(5200);
    expect(await answer).toBe('done');
    expect(events).toEqual(['retry 2 after 5000', 'retry 3 after 200']);
  });

  // cockatiel 4 (cockatiel#107, #83): handleAll sleeps 303 ms and burns all attempts on an open breaker, for 0 calls.
  test('an open circuit whose break is longer than the wait that is granted is not asked again', async () => {
    const { policy, events, time } = setup();
    const refused = Object.assign(new Error('open'), { code: 'ERR_CIRCUIT_OPEN', retryAfterMs: 30_000 });
    await expect(policy.execute(fail(refused))).rejects.toBe(refused);
    expect([events, time.now()]).toEqual([['retry-after after 1'], 0]);
  });

  test.each([[-1], [Infinity], [10_001]])(
    'an answer that asks for %p ms ends the call',
    async (retryAfterMs) => {
      const { policy, events } = setup();
      await policy.tryExecute(fail({ retryAfterMs }));
      expect(events).toEqual(['retry-after after 1']);
    },
  );

  test.each([
    ['NaN', () => NaN],
    ['an exception', fail(new Error('asked'))],
  ])('where the reader of Retry-After gives %s, the own delay holds', async (_, retryAfterMs) => {
    const { time, policy, events } = setup({ retryAfterMs });
    const answer = policy.execute(script(fail(), () => 1));
    await time.advance(100);
    expect(await answer).toBe(1);
    expect(events).toContain('retry 2 after 100');
  });

  test('a full bulkhead is not asked again, unless handle says so', async () => {
    const full = Object.assign(new Error('full'), { code: 'ERR_BULKHEAD_FULL' });
    const { policy, events } = setup();
    await expect(policy.execute(fail(full))).rejects.toBe(full);
    expect(events).toEqual(['not-handled after 1']);
    const asking = setup({ handle: (result) => !result.ok });
    const answer = asking.policy.execute(script(fail(full), () => 1));
    await asking.time.advance(100);
    expect(await answer).toBe(1);
  });

  test.each([
    ['NaN', () => NaN],
    ['a negative delay', () => -1],
    ['an exception', fail(new Error('backoff'))],
  ])('a back-off of your own that gives %s ends the call with its last error', async (_, delay) => {
    const { policy, events } = setup({ backoff: () => delay });
    await expect(policy.execute(fail())).rejects.toBe(boom);
    expect(events.at(-1)).toBe('fault after 1');
  });

  test('a back-off of your own is started once for each call', async () => {
    let starts = 0;
    const { time, policy } = setup({ backoff: () => (starts++, (attempt) => attempt * 10) });
    const answers = [policy.tryExecute(fail()), policy.tryExecute(fail())];
    await time.advance(30);
    await Promise.all(answers);
    expect(starts).toBe(2);
  });
});

describe('retry and budget', () => {
  test('an exhausted budget ends the call with its last error', async () => {
    const time = new VirtualTime();
    const budget = new RetryBudget({ minRetriesPerSecond: 0, clock: time });
    const { policy, events } = setup({ budget, timers: time, clock: time });
    const answer = policy.tryExecute(fail());
    await time.advance(1000);
    expect(await answer).toEqual({ ok: false, error: boom });
    expect(events).toEqual(['retry 2 after 100', 'budget after 2']);
  });

  test('a request counts once, however many layers and attempts share the budget', async () => {
    let deposits = 0;
    const budget = new RetryBudget();
    budget.deposit = () => {
      deposits++;
    };
    const time = new VirtualTime();
    const layer = (): Policy => retry({ budget, timers: time, clock: time, maxAttempts: 2 });
    const answer = pipeline(layer(), layer()).tryExecute(fail());
    await time.advance(10_000);
    await answer;
    expect(deposits).toBe(1);
  });
});

test('1000 retries of one call leave nothing behind on it', async () => {
  const time = new VirtualTime();
  const user = caller();
  const policy = retry({ timers: time, clock: time, maxAttempts: 1001, backoff: { baseMs: 0 } });
  const answer = policy.tryExecute(({ signal }) => {
    expect(signal.aborted).toBe(false);
    throw boom;
  }, user);
  await time.advance(1);
  expect(await answer).toEqual({ ok: false, error: boom });
  await settle();
  expect([time.pending, user.listeners]).toEqual([0, 0]);
});

test.each<[RetryOptions, string]>([
  [{ maxAttempts: 0 }, 'maxAttempts must be an integer >= 1, got 0'],
  [{ maxAttempts: 1.5 }, 'maxAttempts must be an integer >= 1, got 1.5'],
  [{ maxTotalMs: -1 }, 'maxTotalMs must be a number >= 0, got -1'],
  [{ maxRetryAfterMs: Infinity }, 'maxRetryAfterMs must be a number from 0 to 2147483647, got Infinity'],
])('refuses %j', (options, message) => {
  expect(() => retry(options)).toThrow(new RangeError(`retry: ${message}`));
});
