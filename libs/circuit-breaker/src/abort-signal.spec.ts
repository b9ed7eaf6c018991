import { describe, expect, test } from '@jest/globals';
import { isAbandoned, type CallSignal } from './abort-signal.ts';
import { isAbandonedCall } from './abortable.ts';
import { boom, deferred, fail, hang, settled, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { countingController, newController, timeoutError } from './testing/signals.ts';
import { trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

describe("the caller's signal", () => {
  test('B17: an abort is neutral, ends the call at once with its reason and leaves no listener', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    const controller = countingController();
    const work = deferred();
    let seen: CallSignal | undefined;
    const call = breaker.execute(
      (context) => {
        seen = context.signal;
        return work.promise;
      },
      { signal: controller.signal },
    );
    const gone = new Error('the user left');
    controller.abort(gone);
    await expect(call).rejects.toBe(gone);
    expect(seen).toBe(controller.signal);
    expect(controller.listeners).toBe(0);
    work.reject(boom);
    await settled();
    expect(breaker.state).toBe('closed');
    expect(breaker.getSnapshot().totals).toEqual({ success: 0, failure: 0, ignored: 1, rejected: 0 });
  });

  test('a long-lived signal keeps no listener of calls that ended', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1_000 });
    const controller = countingController();
    for (let call = 0; call < 50; call++) {
      await breaker.execute(call % 2 ? succeed : fail, {
        signal: controller.signal,
        fallback: () => 'fallback',
      });
    }
    expect(controller.listeners).toBe(0);
  });

  test('an aborted signal calls nothing, asks for no permit and no fallback', async () => {
    const { breaker } = virtual();
    const before = breaker.getSnapshot();
    const controller = newController();
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
    const controller = newController();
    const work = deferred();
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
    const controller = newController();
    const call = breaker.execute((): Promise<string> => hang(), {
      signal: controller.signal,
      fallback: (error) => (error as Error).name,
    });
    controller.abort(timeoutError());
    await expect(call).resolves.toBe('TimeoutError');
    expect(breaker.state).toBe('open');
  });

  test('B6: aborting one call does not touch the others', async () => {
    const { breaker } = virtual();
    const controllers = [0, 1, 2, 3].map(() => newController());
    const seen: (CallSignal | undefined)[] = [];
    const work = deferred();
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

test.each<[string, unknown, boolean]>([
  ['no reason', undefined, true],
  ['null', null, true],
  ['a text', 'TimeoutError', true],
  ['an object without a name', {}, true],
  ['another error', boom, true],
  ['a timeout, of whatever realm', { name: 'TimeoutError' }, false],
])('an abort with %s tells whether nobody waits any more', (_, reason, abandoned) => {
  const silent = { addEventListener: () => undefined, removeEventListener: () => undefined };
  expect(isAbandoned({ aborted: true, reason, ...silent })).toBe(abandoned);
  expect(isAbandoned({ aborted: false, reason, ...silent })).toBe(false);
  expect(isAbandonedCall({ aborted: true, reason })).toBe(abandoned);
  expect(isAbandonedCall({ aborted: false, reason })).toBe(false);
});
