import { describe, expect, test } from '@jest/globals';
import type { CallSignal } from './abort-signal.ts';
import { circuitBreaker, type CircuitBreaker } from './circuit-breaker.ts';
import { CircuitOpenError, isCircuitOpenError } from './errors.ts';
import type { CircuitBreakerOptions } from './options.ts';

declare const AbortController: new () => { readonly signal: CallSignal; abort(reason?: unknown): void };
declare const setImmediate: (callback: () => void) => void;

const boom = new Error('boom');
const fail = (): Promise<never> => Promise.reject(boom);
const succeed = (): Promise<string> => Promise.resolve('ok');
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** A breaker on virtual time. */
function virtual(options: CircuitBreakerOptions = {}): {
  breaker: CircuitBreaker;
  pass: (ms: number) => void;
} {
  let now = 0;
  const breaker = circuitBreaker({ name: 'users', ...options, clock: { now: () => now } });
  return {
    breaker,
    pass: (ms) => {
      now += ms;
    },
  };
}

async function trip(breaker: CircuitBreaker, times = 3): Promise<void> {
  for (let time = 0; time < times; time++) await breaker.execute(fail).catch(() => undefined);
}

/** A promise settled by hand. */
function deferred<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settlers) => {
    [resolve, reject] = settlers;
  });
  return { promise, resolve, reject };
}

describe('a circuit of the defaults', () => {
  test('opens at the third failure within 30 s, refuses for 30 s, closes after two trials', async () => {
    const { breaker, pass } = virtual();
    await trip(breaker, 2);
    expect(breaker.state).toBe('closed');
    pass(29_999);
    await trip(breaker, 1);
    expect(breaker.state).toBe('open');
    expect(breaker.retryAfterMs).toBe(30_000);
    let called = false;
    await expect(
      breaker.execute(() => {
        called = true;
      }),
    ).rejects.toBeInstanceOf(CircuitOpenError);
    expect(called).toBe(false);

    pass(29_999.5);
    expect([breaker.state, breaker.available, breaker.retryAfterMs]).toEqual(['open', false, 1]);
    pass(0.5);
    expect([breaker.state, breaker.available, breaker.retryAfterMs]).toEqual(['half-open', true, 0]);
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
    expect([breaker.state, breaker.getSnapshot().successCount]).toEqual(['half-open', 1]);
    await breaker.execute(succeed);
    expect(breaker.getSnapshot()).toEqual({
      name: 'users',
      state: 'closed',
      mode: 'enabled',
      isolated: false,
      failureCount: 0,
      successCount: 0,
      totals: { success: 2, failure: 3, ignored: 0, rejected: 1 },
      retryAfterMs: 0,
    });
  });

  test('forgets failures that are older than the window', async () => {
    const { breaker, pass } = virtual();
    await trip(breaker, 2);
    pass(33_000);
    await trip(breaker, 2);
    expect(breaker.state).toBe('closed');
    expect(breaker.getSnapshot().failureCount).toBe(2);
  });

  test('successes between do not forgive failures within the window', async () => {
    const { breaker } = virtual();
    for (const call of [fail, succeed, fail, succeed, fail])
      await breaker.execute<string>(call).catch(() => undefined);
    expect(breaker.state).toBe('open');
  });

  test('one failed trial opens it again for the whole break', async () => {
    const { breaker, pass } = virtual();
    await trip(breaker);
    pass(30_000);
    await breaker.execute(succeed);
    await trip(breaker, 1);
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 30_000]);
  });

  test('runs on the monotonic clock when none is given', async () => {
    const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
    await trip(breaker, 1);
    expect(breaker.name).toBe('circuit');
    expect(breaker.state).toBe('open');
    expect(breaker.retryAfterMs).toBeGreaterThan(29_000);
    breaker.reset();
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
  });
});

describe('execute', () => {
  test.each<[string, () => unknown, unknown]>([
    ['a value', () => 1, 1],
    ['undefined', () => undefined, undefined],
    ['null', () => null, null],
    ['a promise', () => Promise.resolve(2), 2],
    [
      'a thenable',
      () => ({
        then: (resolve: (value: number) => void) => {
          resolve(3);
        },
      }),
      3,
    ],
  ])('takes %s for a success (B2: a synchronous undefined was a failure)', async (_, fn, value) => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    await expect(breaker.execute(fn)).resolves.toBe(value);
    await settled();
    expect(breaker.getSnapshot().totals).toEqual({ success: 1, failure: 0, ignored: 0, rejected: 0 });
  });

  test.each<[string, () => unknown, unknown]>([
    [
      'a synchronous throw',
      () => {
        throw boom;
      },
      boom,
    ],
    ['a rejection', fail, boom],
    [
      'a rejection with undefined',
      () => ({
        then: (_: unknown, reject: (error: unknown) => void) => {
          reject(undefined);
        },
      }),
      undefined,
    ],
    [
      'a thenable that rejects',
      () => ({
        then: (_: unknown, reject: (error: Error) => void) => {
          reject(boom);
        },
      }),
      boom,
    ],
    [
      'a thenable that throws',
      () => ({
        get then() {
          throw boom;
        },
      }),
      boom,
    ],
  ])('takes %s for a failure and passes it on as it was', async (_, fn, error) => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    await expect(
      breaker.execute(fn).then(
        () => 'resolved',
        (thrown: unknown) => ({ thrown }),
      ),
    ).resolves.toEqual({ thrown: error });
    expect(breaker.state).toBe('open');
  });

  test('also when it is a trial', async () => {
    const { breaker, pass } = virtual({ maximumFailuresAllowed: 1, successThreshold: 2 });
    await trip(breaker, 1);
    pass(30_000);
    await expect(breaker.execute(() => undefined)).resolves.toBeUndefined();
    await expect(
      breaker.execute(() => {
        throw boom;
      }),
    ).rejects.toBe(boom);
    expect(breaker.state).toBe('open');
  });

  test('refuses with the reason, the time to wait and the cause', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    await trip(breaker);
    pass(10_000);
    const error: unknown = await breaker.execute(succeed).catch((thrown: unknown) => thrown);
    expect(isCircuitOpenError(error)).toBe(true);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'CircuitOpenError',
      code: 'ERR_CIRCUIT_OPEN',
      message: 'circuit "users" is open',
      circuit: 'users',
      reason: 'open',
      retryAfterMs: 20_000,
      cause: boom,
    });

    pass(20_000);
    breaker.tryAcquire();
    await expect(breaker.execute(succeed)).rejects.toMatchObject({
      message: 'circuit "users" is half-open and its trials are under way',
      reason: 'half-open-full',
      retryAfterMs: 0,
      cause: boom,
    });
  });

  test('makes its rejections without a stack and leaves the stacks of others alone', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    await trip(breaker, 1);
    const error = (await breaker.execute(succeed).catch((thrown: unknown) => thrown)) as Error;
    expect(error.stack).toBe('CircuitOpenError: circuit "users" is open');
    expect(new Error('other').stack).toContain('circuit-breaker.spec');
  });

  test('a classifier judges results; what it must not do does no harm', async () => {
    const outcomes: unknown[] = ['failure', 'ignored', 'success', 'nonsense', undefined];
    const { breaker } = virtual({
      maximumFailuresAllowed: 9,
      classify: () => {
        if (outcomes.length === 0) throw boom;
        return outcomes.shift() as 'failure';
      },
    });
    const faults: unknown[] = [];
    breaker.on('fault', ({ error }) => faults.push(error));
    for (let call = 0; call < 6; call++) await breaker.execute(succeed);
    expect(breaker.getSnapshot().totals).toEqual({ success: 4, failure: 1, ignored: 1, rejected: 0 });
    await breaker.execute(fail).catch(() => undefined);
    expect(breaker.getSnapshot().totals.failure).toBe(2);
    expect(faults).toEqual([boom, boom]);
  });

  test('a classifier sees the value and the error', async () => {
    const seen: unknown[] = [];
    const { breaker } = virtual({
      classify: (result) => {
        seen.push(result);
        return 'ignored';
      },
    });
    await breaker.execute(succeed);
    await breaker.execute(fail).catch(() => undefined);
    expect(seen).toEqual([
      { ok: true, value: 'ok' },
      { ok: false, error: boom },
    ]);
  });

  test('hides no unhandled rejection: the promise that it returns is the one that rejects', async () => {
    const { breaker } = virtual();
    const source = fail();
    const derived = breaker.execute(() => source);
    expect(derived).not.toBe(source);
    await expect(derived).rejects.toBe(boom);
  });
});

describe("the caller's signal", () => {
  test('B17: an abort is neutral, ends the call at once with its reason and leaves no listener', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    const controller = new AbortController();
    let listeners = 0;
    const signal: CallSignal = {
      get aborted() {
        return controller.signal.aborted;
      },
      get reason() {
        return controller.signal.reason;
      },
      addEventListener: (type, listener) => {
        listeners++;
        controller.signal.addEventListener(type, listener);
      },
      removeEventListener: (type, listener) => {
        listeners--;
        controller.signal.removeEventListener(type, listener);
      },
    };
    const work = deferred<string>();
    let seen: CallSignal | undefined;
    const call = breaker.execute(
      (context) => {
        seen = context.signal;
        return work.promise;
      },
      { signal },
    );
    const gone = new Error('the user left');
    controller.abort(gone);
    await expect(call).rejects.toBe(gone);
    expect(seen).toBe(signal);
    expect(listeners).toBe(0);
    work.reject(boom);
    await settled();
    expect(breaker.state).toBe('closed');
    expect(breaker.getSnapshot().totals).toEqual({ success: 0, failure: 0, ignored: 1, rejected: 0 });
  });

  test('a long-lived signal keeps no listener of calls that ended', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1_000 });
    let listeners = 0;
    const signal: CallSignal = {
      aborted: false,
      addEventListener: () => listeners++,
      removeEventListener: () => listeners--,
    };
    for (let call = 0; call < 50; call++) {
      await breaker.execute(call % 2 ? succeed : fail, { signal, fallback: () => 'fallback' });
    }
    expect(listeners).toBe(0);
  });

  test('an aborted signal calls nothing, asks for no permit and no fallback', async () => {
    const { breaker } = virtual();
    const before = breaker.getSnapshot();
    const controller = new AbortController();
    controller.abort(boom);
    const call = breaker.execute(
      () => {
        throw new Error('called');
      },
      { signal: controller.signal, fallback: () => 'fallback' },
    );
    await expect(call).rejects.toBe(boom);
    expect(breaker.getSnapshot()).toBe(before);
  });

  test("an aborted trial gives its place back, and its late result is nobody's", async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    await trip(breaker);
    pass(30_000);
    const controller = new AbortController();
    const work = deferred<string>();
    const trial = breaker.execute(() => work.promise, {
      signal: controller.signal,
      fallback: () => 'fallback',
    });
    expect(breaker.available).toBe(false);
    controller.abort(boom);
    await expect(trial).rejects.toBe(boom);
    expect([breaker.state, breaker.available]).toEqual(['half-open', true]);
    work.resolve('late');
    await settled();
    expect(breaker.state).toBe('half-open');
  });

  test('a timeout is a failure: the caller still wanted the answer', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    const controller = new AbortController();
    const call = breaker.execute(() => new Promise<string>(() => undefined), {
      signal: controller.signal,
      fallback: (error) => (error as Error).name,
    });
    controller.abort(Object.assign(new Error('too slow'), { name: 'TimeoutError' }));
    await expect(call).resolves.toBe('TimeoutError');
    expect(breaker.state).toBe('open');
  });

  test('B6: aborting one call does not touch the others', async () => {
    const { breaker } = virtual();
    const controllers = [0, 1, 2, 3].map(() => new AbortController());
    const seen: (CallSignal | undefined)[] = [];
    const work = deferred<string>();
    const calls = controllers.map(({ signal }) =>
      breaker.execute(
        (context) => {
          seen.push(context.signal);
          return work.promise;
        },
        { signal },
      ),
    );
    controllers[0]?.abort(boom);
    await expect(calls[0]).rejects.toBe(boom);
    expect(seen.map((signal) => signal?.aborted)).toEqual([true, false, false, false]);
    work.resolve('ok');
    await expect(Promise.all(calls.slice(1))).resolves.toEqual(['ok', 'ok', 'ok']);
    await expect(breaker.execute(({ signal }) => signal?.aborted)).resolves.toBeUndefined();
  });
});

describe('fallback', () => {
  test('answers failures and refusals, and does not hide them from the circuit', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    const fallback = (error: unknown): string => (isCircuitOpenError(error) ? 'refused' : 'failed');
    await expect(breaker.execute(fail, { fallback })).resolves.toBe('failed');
    await expect(breaker.execute(fail, { fallback })).resolves.toBe('refused');
    await expect(breaker.execute(fail, { fallback: () => Promise.resolve('later') })).resolves.toBe('later');
    expect(breaker.getSnapshot().totals).toEqual({ success: 0, failure: 1, ignored: 0, rejected: 2 });
  });

  test('that throws keeps the primary error as its cause', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 9 });
    const second = new Error('the fallback failed too');
    const run = (thrown: unknown): Promise<unknown> =>
      breaker
        .execute(fail, {
          fallback: () => {
            throw thrown;
          },
        })
        .catch((error: unknown) => error);
    expect(await run(second)).toBe(second);
    expect(second.cause).toBe(boom);
    // Its author's own cause stays.
    const own = new Error('explained', { cause: 'my reason' });
    expect(((await run(own)) as Error).cause).toBe('my reason');
    // Thrown again: no circle.
    expect(await run(boom)).toBe(boom);
    expect(boom.cause).toBeUndefined();
    // Neither a frozen error nor a thrown text loses anything.
    const frozen = Object.freeze(new Error('frozen'));
    expect(await run(frozen)).toMatchObject({ errors: [frozen, boom], message: 'frozen', cause: boom });
    expect(await run('text')).toMatchObject({ errors: ['text', boom], cause: boom });
  });

  test('that throws the cause of a refusal closes no circle of causes', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    await trip(breaker, 1);
    const call = breaker.execute(succeed, {
      fallback: (error) => {
        throw (error as Error).cause;
      },
    });
    await expect(call).rejects.toBe(boom);
    expect(boom.cause).toBeUndefined();
  });
});

describe('tryAcquire', () => {
  test('counts the first word of a permit only', () => {
    const { breaker } = virtual();
    const permit = breaker.tryAcquire();
    permit?.settle('failure', boom);
    permit?.settle('failure');
    permit?.settle('success');
    permit?.[Symbol.dispose]();
    expect(breaker.getSnapshot().totals).toEqual({ success: 0, failure: 1, ignored: 0, rejected: 0 });
  });

  test('a disposed permit says nothing and gives a trial place back', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    await trip(breaker);
    expect(breaker.tryAcquire()).toBeUndefined();
    pass(30_000);
    {
      using permit = breaker.tryAcquire();
      expect(permit).toBeDefined();
      expect(breaker.tryAcquire()).toBeUndefined();
    }
    expect(breaker.available).toBe(true);
    breaker.tryAcquire()?.settle('success');
    expect(breaker.state).toBe('closed');
  });

  test('the error of the failure that opened the circuit is the cause of refusals', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    breaker.tryAcquire()?.settle('failure', boom);
    await expect(breaker.execute(succeed)).rejects.toMatchObject({ cause: boom });
  });
});

describe('half-open', () => {
  test.each([1, 1_000, 100_000])(
    'lets exactly the threshold through of %d callers that arrive at once',
    async (callers) => {
      const { breaker, pass } = virtual({ successThreshold: 3 });
      await trip(breaker);
      pass(30_000);
      const permits = Array.from({ length: callers }, () => breaker.tryAcquire()).filter(
        (permit) => permit !== undefined,
      );
      expect(permits).toHaveLength(Math.min(3, callers));
    },
  );

  test('never has more trials than the verdict still needs', async () => {
    const { breaker, pass } = virtual({ successThreshold: 2 });
    await trip(breaker);
    pass(30_000);
    breaker.tryAcquire()?.settle('success');
    const second = breaker.tryAcquire();
    expect(second).toBeDefined();
    expect(breaker.tryAcquire()).toBeUndefined();
    second?.settle('success');
    expect(breaker.state).toBe('closed');
  });

  test('B15: a trial that hangs never sticks, and nobody waits for it', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1, probeLeaseMs: 5_000 });
    await trip(breaker);
    pass(30_000);
    const work = deferred<string>();
    const hung = breaker.execute(() => work.promise);
    const others = await Promise.allSettled(Array.from({ length: 1_000 }, () => breaker.execute(succeed)));
    expect(others.every((other) => other.status === 'rejected' && isCircuitOpenError(other.reason))).toBe(
      true,
    );
    pass(4_999);
    expect(breaker.state).toBe('half-open');
    pass(1);
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 30_000]);
    expect(breaker.getSnapshot().failureCount).toBe(1);
    await expect(breaker.execute(succeed)).rejects.toMatchObject({
      reason: 'open',
      cause: {
        code: 'ERR_TIMEOUT',
        message: 'a trial call of circuit "users" gave no answer within 5000 ms',
      },
    });
    pass(30_000);
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
    expect(breaker.state).toBe('closed');
    const before = breaker.getSnapshot();
    work.reject(boom);
    await expect(hung).rejects.toBe(boom);
    expect(breaker.getSnapshot()).toBe(before);
  });

  test('a lease that ran out while nobody looked does not lengthen the break', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1, probeLeaseMs: 5_000 });
    await trip(breaker);
    pass(30_000);
    breaker.tryAcquire();
    pass(35_000);
    expect([breaker.state, breaker.available]).toEqual(['half-open', true]);
    await breaker.execute(succeed);
    expect(breaker.state).toBe('closed');
  });

  test('the lease is the reset timeout unless told otherwise', async () => {
    const { breaker, pass } = virtual({ resetTimeoutInMilliseconds: 700 });
    await trip(breaker);
    pass(700);
    breaker.tryAcquire();
    pass(699);
    expect(breaker.state).toBe('half-open');
    pass(1);
    expect(breaker.state).toBe('open');
  });
});

describe('generations', () => {
  test('B5: a late success of a call from before the outage does not close a half-open circuit', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    const work = deferred<string>();
    const old = breaker.execute(() => work.promise);
    await trip(breaker);
    pass(30_000);
    expect(breaker.state).toBe('half-open');
    const trial = breaker.tryAcquire();
    const before = breaker.getSnapshot();
    work.resolve('late');
    await expect(old).resolves.toBe('late');
    expect(breaker.getSnapshot()).toBe(before);
    trial?.settle('success');
    expect(breaker.state).toBe('closed');
  });

  test('B12: late failures of calls from before the outage do not open a recovered circuit', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    const work = deferred<string>();
    const old = Array.from({ length: 6 }, () => breaker.execute(() => work.promise));
    await trip(breaker);
    pass(30_000);
    await breaker.execute(succeed);
    expect(breaker.state).toBe('closed');
    const before = breaker.getSnapshot();
    work.reject(boom);
    await Promise.allSettled(old);
    expect(breaker.getSnapshot()).toBe(before);
  });

  test('B11: after an idle hour nothing of the past counts', async () => {
    const { breaker, pass } = virtual({ maximumFailuresAllowed: 10, timeWindowInMilliseconds: 10_000 });
    await trip(breaker, 9);
    pass(3_600_000);
    expect(breaker.getSnapshot().failureCount).toBe(0);
    await trip(breaker, 1);
    expect([breaker.state, breaker.getSnapshot().failureCount]).toEqual(['closed', 1]);
  });

  test('reset closes, forgets and makes calls under way late', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 2 });
    const permit = breaker.tryAcquire();
    await trip(breaker, 2);
    breaker.reset();
    expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', failureCount: 0, totals: { failure: 2 } });
    permit?.settle('failure');
    expect(breaker.getSnapshot().failureCount).toBe(0);
  });
});

describe('options', () => {
  test.each<[keyof CircuitBreakerOptions, number, string]>([
    ['maximumFailuresAllowed', 0, 'an integer >= 1'],
    ['maximumFailuresAllowed', 1.5, 'an integer >= 1'],
    ['maximumFailuresAllowed', NaN, 'an integer >= 1'],
    ['successThreshold', 0, 'an integer >= 1'],
    ['successThreshold', Infinity, 'an integer >= 1'],
    ['timeWindowInMilliseconds', 0, 'a number > 0 (milliseconds)'],
    ['timeWindowInMilliseconds', -1, 'a number > 0 (milliseconds)'],
    ['resetTimeoutInMilliseconds', NaN, 'a number > 0 (milliseconds)'],
    ['resetTimeoutInMilliseconds', Infinity, 'a number > 0 (milliseconds)'],
    ['probeLeaseMs', 0, 'a number > 0 (milliseconds)'],
  ])('B20: %s must not be %d', (option, value, rule) => {
    expect(() => circuitBreaker({ [option]: value })).toThrow(
      new RangeError(`circuitBreaker: ${option} must be ${rule}, got ${value}`),
    );
  });

  test('are copied: changing them later changes nothing, two breakers of one object share nothing', async () => {
    const options = { maximumFailuresAllowed: 1 };
    const [one, other] = [circuitBreaker(options), circuitBreaker(options)];
    options.maximumFailuresAllowed = 100;
    await trip(one, 1);
    expect([one.state, other.state]).toEqual(['open', 'closed']);
  });
});

test('isCircuitOpenError knows the errors of another installed copy, and nothing else', () => {
  expect(isCircuitOpenError(Object.assign(new Error('x'), { code: 'ERR_CIRCUIT_OPEN' }))).toBe(true);
  for (const other of [undefined, null, 'ERR_CIRCUIT_OPEN', { code: 'ERR_CIRCUIT_OPEN' }, new Error('x')]) {
    expect(isCircuitOpenError(other)).toBe(false);
  }
});
