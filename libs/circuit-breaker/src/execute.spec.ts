import { describe, expect, test } from '@jest/globals';
import { isCircuitOpenError } from './errors.ts';
import type { CallResult, CircuitBreakerOptions } from './options.ts';
import { boom, deferred, fail, rejectionOf, settled, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { newController, timeoutError } from './testing/signals.ts';
import { halfOpen, trip, virtual, type VirtualBreaker } from './testing/virtual-breaker.ts';

trapRejections();

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
  ])('takes %s for a success (B2, goal 16: a synchronous undefined was a failure)', async (_, fn, value) => {
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
  ])('goal 16: takes %s for a failure and passes it on as it was', async (_, fn, error) => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    await expect(
      breaker.execute(fn).then(
        () => 'resolved',
        (thrown: unknown) => ({ thrown }),
      ),
    ).resolves.toEqual({ thrown: error });
    expect(breaker.state).toBe('open');
  });

  test('tells what it calls that there is no signal', async () => {
    const { breaker } = virtual();
    const context = await breaker.execute((given) => given);
    expect(context).toStrictEqual({ signal: undefined });
    expect(Object.isFrozen(context)).toBe(true);
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
    expect(new Error('other').stack).toContain('execute.spec');
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

  test('goal 19: hides no unhandled rejection: the promise that it returns is the one that rejects', async () => {
    const { breaker } = virtual();
    const source = fail();
    const derived = breaker.execute(() => source);
    expect(derived).not.toBe(source);
    await expect(derived).rejects.toBe(boom);
  });
});

describe('a classifier', () => {
  /** Ways in which a call is made: at once, with an ear for its signal, as a trial. */
  const ways: [string, (options: CircuitBreakerOptions) => Promise<VirtualBreaker>, boolean][] = [
    ['at once', (options) => Promise.resolve(virtual(options)), false],
    ['with a signal', (options) => Promise.resolve(virtual(options)), true],
    ['as a trial', halfOpen, false],
  ];

  test.each(ways)('judges values and errors of a call %s', async (_, make, listens) => {
    const seen: CallResult[] = [];
    let upsideDown = false;
    const { breaker } = await make({
      maximumFailuresAllowed: 1,
      trials: 9,
      successThreshold: 9,
      classify: (result) => {
        seen.push(result);
        return result.ok === upsideDown ? 'failure' : 'success';
      },
    });
    upsideDown = true;
    const options = listens ? { signal: newController().signal } : {};
    const { success } = breaker.getSnapshot().totals;
    await breaker.execute(fail, options).catch(() => undefined);
    expect(breaker.getSnapshot().totals.success).toBe(success + 1);
    await breaker.execute(succeed, options);
    expect(breaker.state).toBe('open');
    // What made the circuit half-open has been judged, too.
    expect(seen.slice(-2)).toEqual([
      { ok: false, error: boom },
      { ok: true, value: 'ok' },
    ]);
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({ cause: 'ok' });
  });

  test('is not asked about a call that its caller left, nor again about one that took too long', async () => {
    const seen: unknown[] = [];
    const { breaker } = virtual({
      maximumFailuresAllowed: 9,
      classify: (result) => {
        seen.push(result);
        return 'failure';
      },
    });
    const ignored: unknown[] = [];
    breaker.on('ignored', (event) => ignored.push(event));
    const late = timeoutError();
    for (const reason of ['gone', late]) {
      for (const end of ['resolve', 'reject'] as const) {
        const controller = newController();
        const work = deferred<unknown>();
        const call = rejectionOf(breaker.execute(() => work.promise, { signal: controller.signal }));
        controller.abort(reason);
        expect(await call).toBe(reason);
        work[end](boom);
        await settled();
      }
    }
    expect(seen).toEqual([
      { ok: false, error: late },
      { ok: false, error: late },
    ]);
    expect(ignored).toHaveLength(2);
  });
});
