import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { CircuitBreaker, type CallOptions } from './circuit-breaker.ts';
import { isCircuitOpenError } from './errors.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { boom, deferred, hang, rejectionOf, settled, succeed, throwBoom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { countingController } from './testing/signals.ts';
import { brittle, halfOpen, trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

const waiting = (most: number, options: CircuitBreakerOptions = {}): CircuitBreakerOptions => ({
  ...brittle,
  maximumWaiting: most,
  ...options,
});

describe('surplus calls wait for the verdict of the trials', () => {
  test('and run, first come, first served, when the circuit closes', async () => {
    const { breaker } = await halfOpen(waiting(3));
    const trial = breaker.tryAcquire();
    const order: number[] = [];
    const calls = [1, 2, 3].map((call) => breaker.execute(() => order.push(call)));
    await settled();
    expect(order).toEqual([]);
    trial?.settle('success');
    await expect(Promise.all(calls)).resolves.toEqual([1, 2, 3]);
    expect(order).toEqual([1, 2, 3]);
    expect(breaker.getSnapshot().totals).toEqual({ success: 4, failure: 1, ignored: 0, rejected: 0 });
  });

  test('and are refused when it opens again, each counted once', async () => {
    const { breaker } = await halfOpen(waiting(2));
    const told: unknown[] = [];
    breaker.on('rejected', ({ reason }) => told.push(reason));
    const trial = breaker.tryAcquire();
    const thrown = rejectionOf(breaker.execute(succeed));
    const outcome = breaker.tryExecute(succeed);
    await settled();
    expect(told).toEqual([]);
    trial?.settle('failure', boom);
    expect(await thrown).toMatchObject({ reason: 'open', retryAfterMs: 100, cause: boom });
    expect(await outcome).toMatchObject({ ok: false, refusal: { reason: 'open', retryAfterMs: 100 } });
    expect(told).toEqual(['open', 'open']);
    expect(breaker.getSnapshot().totals.rejected).toBe(2);
  });

  test('no more of them than there is room for: the others are refused at once', async () => {
    const { breaker } = await halfOpen(waiting(1));
    const trial = breaker.tryAcquire();
    const first = breaker.execute(succeed);
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({ reason: 'half-open-full' });
    expect(await breaker.tryExecute(succeed)).toMatchObject({ refusal: { reason: 'half-open-full' } });
    expect(breaker.getSnapshot().totals.rejected).toBe(2);
    trial?.settle('success');
    await expect(first).resolves.toBe('ok');
  });

  test('nobody waits for an open circuit, nor for one that is held open', async () => {
    const { breaker, pass } = virtual(waiting(9));
    await trip(breaker, 1);
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({ reason: 'open' });
    pass(100);
    breaker.tryAcquire();
    using hold = breaker.isolate();
    expect(hold).toBeDefined();
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({ reason: 'isolated' });
  });

  test('isolating the circuit refuses those who wait already', async () => {
    const { breaker } = await halfOpen(waiting(9));
    breaker.tryAcquire();
    const call = rejectionOf(breaker.execute(succeed));
    breaker.isolate();
    expect(await call).toMatchObject({ reason: 'isolated' });
  });

  test('a trial that is ignored gives its place to the first who waits, and the next goes on waiting', async () => {
    const { breaker } = await halfOpen(waiting(2));
    const trial = breaker.tryAcquire();
    const work = deferred();
    const first = breaker.execute(() => work.promise);
    const second = breaker.execute(() => 'second');
    trial?.settle('ignored');
    await settled();
    expect([breaker.state, breaker.available]).toEqual(['half-open', false]);
    work.resolve('first');
    await expect(Promise.all([first, second])).resolves.toEqual(['first', 'second']);
  });

  test('after closing, a ramp lets only a tenth of them pass at first', async () => {
    const { breaker } = await halfOpen(waiting(20, { rampMs: 1_000 }));
    const trial = breaker.tryAcquire();
    const calls = Array.from({ length: 20 }, () => breaker.tryExecute(succeed));
    trial?.settle('success');
    const passed = (await Promise.all(calls)).filter(({ ok }) => ok);
    expect(passed).toHaveLength(2);
  });

  test('calls of tryExecute and of a layer wait in the same line', async () => {
    const { breaker } = await halfOpen(waiting(3));
    const trial = breaker.tryAcquire();
    const order: string[] = [];
    const note = (word: string) => (): Promise<number> => Promise.resolve(order.push(word));
    const calls = [
      breaker.tryExecute(note('tryExecute')),
      breaker.layer(note('layer'))({}),
      breaker.execute(note('execute')),
    ];
    trial?.settle('success');
    await Promise.all(calls);
    expect(order).toEqual(['tryExecute', 'layer', 'execute']);
  });
});

describe('a caller who goes while it waits (B15: others noticed only after the verdict)', () => {
  test('is let go at once, leaves no listener, and its place to others', async () => {
    const { breaker } = await halfOpen(waiting(1));
    const trial = breaker.tryAcquire();
    const controller = countingController();
    const called: unknown[] = [];
    const thrown = rejectionOf(breaker.execute(() => called.push(1), { signal: controller.signal }));
    expect(controller.listeners).toBe(1);
    controller.abort('gone');
    expect(await thrown).toBe('gone');
    expect(controller.listeners).toBe(0);

    const next = breaker.execute(succeed);
    trial?.settle('success');
    await expect(next).resolves.toBe('ok');
    expect(called).toEqual([]);
    expect(breaker.getSnapshot().totals).toMatchObject({ ignored: 0, rejected: 0 });
  });

  test('gets its reason from tryExecute too', async () => {
    const { breaker } = await halfOpen(waiting(1));
    breaker.tryAcquire();
    const controller = countingController();
    const outcome = breaker.tryExecute(succeed, { signal: controller.signal });
    controller.abort('gone');
    expect(await outcome).toEqual({ ok: false, error: 'gone' });
    expect(controller.listeners).toBe(0);
  });

  test.each<[string, (breaker: CircuitBreaker, options: CallOptions) => Promise<unknown>]>([
    ['execute', (breaker, options) => rejectionOf(breaker.execute(throwBoom, options))],
    ['tryExecute', async (breaker, options) => (await breaker.tryExecute(throwBoom, options)).error],
  ])(
    'in the moment between its turn and its call: %s calls nothing, and the abort is no failure',
    async (_, call) => {
      const { breaker } = await halfOpen(waiting(2));
      const ignored: unknown[] = [];
      breaker.on('ignored', (event) => ignored.push(event));
      const trial = breaker.tryAcquire();
      const controller = countingController();
      const answer = call(breaker, { signal: controller.signal });
      trial?.settle('ignored');
      controller.abort('gone');
      expect(await answer).toBe('gone');
      // The trial that gave way, and the call that gave its place back.
      expect(ignored).toHaveLength(2);
      expect(breaker.getSnapshot().totals).toMatchObject({ failure: 1, ignored: 2 });
      expect(breaker.available).toBe(true);
    },
  );
});

describe('the one timer of the room', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Virtual time that fires timers, too. */
  async function timed(options: CircuitBreakerOptions): Promise<{
    breaker: CircuitBreaker;
    pass: (ms: number) => Promise<void>;
  }> {
    const breaker = new CircuitBreaker({ ...options, clock: { now: () => Date.now() } });
    await trip(breaker, 1);
    const pass = async (ms: number): Promise<void> => {
      jest.advanceTimersByTime(ms);
      await settled();
    };
    await pass(breaker.retryAfterMs);
    return { breaker, pass };
  }

  test('B15: wakes those who wait for a trial that hangs when its lease runs out, and not before', async () => {
    const { breaker, pass } = await timed(waiting(9, { probeLeaseMs: 500 }));
    void breaker.execute(hang);
    await pass(200);
    const answers: unknown[] = [];
    const calls = [1, 2].map(() => breaker.execute(succeed).catch((error: unknown) => answers.push(error)));
    expect(jest.getTimerCount()).toBe(1);
    await pass(299);
    expect(answers).toEqual([]);
    await pass(1);
    expect(answers.map(isCircuitOpenError)).toEqual([true, true]);
    expect(breaker.state).toBe('open');
    await Promise.all(calls);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('is gone with the verdict, and with the last who waited', async () => {
    const { breaker } = await timed(waiting(9));
    const trial = breaker.tryAcquire();
    const controller = countingController();
    const thrown = rejectionOf(breaker.execute(succeed, { signal: controller.signal }));
    const stays = breaker.execute(succeed);
    controller.abort('gone');
    expect(await thrown).toBe('gone');
    expect(jest.getTimerCount()).toBe(1);
    trial?.settle('success');
    expect(jest.getTimerCount()).toBe(0);
    await stays;

    await trip(breaker, 1);
    jest.advanceTimersByTime(100);
    breaker.tryAcquire();
    const alone = countingController();
    const last = rejectionOf(breaker.execute(succeed, { signal: alone.signal }));
    expect(jest.getTimerCount()).toBe(1);
    alone.abort('gone');
    expect(jest.getTimerCount()).toBe(0);
    await last;
  });

  test('waits again for a lease that is longer than timers are', async () => {
    const { breaker, pass } = await timed(waiting(1, { probeLeaseMs: 2 ** 31 + 10 }));
    breaker.tryAcquire();
    const answers: unknown[] = [];
    const call = breaker.execute(succeed).catch((error: unknown) => answers.push(error));
    await pass(2 ** 31 - 1);
    expect(answers).toEqual([]);
    expect(jest.getTimerCount()).toBe(1);
    await pass(11);
    expect(answers).toHaveLength(1);
    await call;
  });

  test('is never set for longer than timers can wait', async () => {
    const { breaker } = await timed(waiting(1, { probeLeaseMs: 2 ** 40 }));
    breaker.tryAcquire();
    const setTimer = jest.spyOn(
      globalThis as unknown as { setTimeout: (...args: unknown[]) => unknown },
      'setTimeout',
    );
    void breaker.tryExecute(succeed);
    expect(setTimer.mock.calls.map(([, delayMs]) => delayMs)).toEqual([2 ** 31 - 1]);
    setTimer.mockRestore();
    breaker.reset();
  });

  test('is gone when the last who waited has become a trial', async () => {
    const { breaker } = await timed(waiting(1));
    const trial = breaker.tryAcquire();
    void breaker.tryExecute(hang);
    trial?.settle('ignored');
    await settled();
    expect([breaker.state, breaker.available, jest.getTimerCount()]).toEqual(['half-open', false, 0]);
  });

  test('follows the oldest trial that the verdict needs', async () => {
    const { breaker, pass } = await timed(waiting(1, { probeLeaseMs: 500, trials: 2, successThreshold: 1 }));
    breaker.tryAcquire();
    await pass(100);
    breaker.tryAcquire();
    const answers: unknown[] = [];
    const call = breaker.execute(succeed).catch((error: unknown) => answers.push(error));
    await pass(499);
    expect(answers).toEqual([]);
    await pass(1);
    expect(answers).toHaveLength(1);
    await call;
  });
});
