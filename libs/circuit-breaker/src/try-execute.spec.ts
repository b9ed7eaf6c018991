import { describe, expect, test } from '@jest/globals';
import { boom, deferred, fail, hang, settled, succeed, throwBoom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { countingController, timeoutError } from './testing/signals.ts';
import { brittle, halfOpen, trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

describe('tryExecute', () => {
  test.each<[string, () => unknown, object]>([
    ['a value', () => 1, { ok: true, value: 1 }],
    ['a promise', succeed, { ok: true, value: 'ok' }],
    ['undefined', () => undefined, { ok: true, value: undefined }],
    ['a rejection', fail, { ok: false, error: boom }],
    ['a synchronous throw', throwBoom, { ok: false, error: boom }],
  ])('of %s', async (_, fn, outcome) => {
    const { breaker } = virtual();
    const { signal } = countingController();
    expect(await breaker.tryExecute(fn)).toEqual(outcome);
    expect(await breaker.tryExecute(fn, { signal })).toEqual(outcome);
    const trial = await halfOpen();
    expect(await trial.breaker.tryExecute(fn)).toEqual(outcome);
    const { success, failure } = breaker.getSnapshot().totals;
    expect([success, failure]).toEqual('value' in outcome ? [2, 0] : [0, 2]);
  });

  test('of a refused call is the refusal, without a throw', async () => {
    const { breaker, pass } = virtual(brittle);
    await trip(breaker, 1);
    pass(40);
    const refusal = { circuit: 'users', reason: 'open', retryAfterMs: 60, cause: boom };
    expect(await breaker.tryExecute(succeed)).toEqual({ ok: false, refusal });
    pass(60);
    breaker.tryAcquire();
    expect(await breaker.tryExecute(succeed)).toEqual({
      ok: false,
      refusal: { ...refusal, reason: 'half-open-full', retryAfterMs: 0 },
    });
  });

  test('a crowd that is refused within a millisecond shares the refusal, and no longer than that', async () => {
    const { breaker, pass } = virtual({ ...brittle, resetTimeoutInMilliseconds: 2 });
    await trip(breaker, 1);
    const refusalOf = async (): Promise<unknown> => (await breaker.tryExecute(succeed)).refusal;
    const first = await refusalOf();
    expect(await refusalOf()).toBe(first);
    pass(1);
    const second = await refusalOf();
    expect([first, second]).toMatchObject([{ retryAfterMs: 2 }, { retryAfterMs: 1 }]);
    breaker.isolate();
    expect(await refusalOf()).toMatchObject({ reason: 'isolated', retryAfterMs: 1 });
    const other = virtual({ ...brittle, resetTimeoutInMilliseconds: 2 });
    for (const error of [boom, 'another']) {
      other.breaker.reset();
      other.breaker.tryAcquire()?.settle('failure', error);
      expect(await other.breaker.tryExecute(succeed)).toMatchObject({ refusal: { cause: error } });
    }
  });

  test('of an aborted call is its reason, at once, and says nothing about the circuit', async () => {
    const { breaker } = virtual(brittle);
    const controller = countingController();
    const work = deferred();
    const call = breaker.tryExecute(() => work.promise, { signal: controller.signal });
    controller.abort('gone');
    expect(await call).toEqual({ ok: false, error: 'gone' });
    expect(controller.listeners).toBe(0);
    work.reject(boom);
    await settled();
    expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', totals: { failure: 0, ignored: 1 } });

    const before = breaker.getSnapshot();
    expect(await breaker.tryExecute(throwBoom, { signal: controller.signal })).toEqual({
      ok: false,
      error: 'gone',
    });
    expect(breaker.getSnapshot()).toBe(before);
  });

  test('of a call that took too long is a failure', async () => {
    const { breaker } = virtual(brittle);
    const controller = countingController();
    const call = breaker.tryExecute(hang, { signal: controller.signal });
    const error = timeoutError();
    controller.abort(error);
    expect(await call).toEqual({ ok: false, error });
    expect(breaker.state).toBe('open');
  });
});
