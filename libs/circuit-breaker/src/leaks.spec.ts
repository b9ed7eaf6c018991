import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { CircuitBreaker, circuitBreaker } from './circuit-breaker.ts';
import { CircuitBreakers } from './circuit-breakers.ts';
import { boom, fail, rejectionOf, succeed } from './testing/calls.ts';
import { heapUsed } from './testing/heap.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { countingController } from './testing/signals.ts';
import { brittle, halfOpen, trip, virtual } from './testing/virtual-breaker.ts';
import { failureRate, slowCallRate } from './window-rule.ts';

trapRejections();

const kilobyte = 1_024;

describe('goal 14: a signal that outlives its calls', () => {
  test('keeps no listener of a million of them', async () => {
    const { breaker } = virtual({ tripWhen: failureRate({ minimumCalls: 1e9 }) });
    const controller = countingController();
    const { signal } = controller;
    const batch = 20;
    for (let round = 0; round < 1e6 / batch; round++) {
      const calls = Array.from({ length: batch }, (_, call) =>
        call % 10 === 0 ? breaker.tryExecute(fail, { signal }) : breaker.execute(succeed, { signal }),
      );
      await Promise.all(calls);
    }
    expect(breaker.getSnapshot().totals).toMatchObject({ success: 900_000, failure: 100_000 });
    expect(controller.listeners).toBe(0);
  });

  test('keeps none of calls that were refused, waited, or were aborted', async () => {
    const { breaker } = await halfOpen({ maximumWaiting: 1 });
    const controller = countingController();
    const { signal } = controller;
    const trial = breaker.execute(() => new Promise(() => undefined), { signal });
    const waiting = breaker.execute(succeed, { signal });
    expect(await rejectionOf(breaker.execute(succeed, { signal }))).toMatchObject({
      reason: 'half-open-full',
    });
    expect(controller.listeners).toBe(2);
    controller.abort(boom);
    expect(await Promise.all([rejectionOf(trial), rejectionOf(waiting)])).toEqual([boom, boom]);
    expect(controller.listeners).toBe(0);
  });
});

describe('breakers that nobody holds', () => {
  /** Bytes that stay for each of so many breakers, made, used and dropped. */
  async function keptOf(count: number, use: (breaker: CircuitBreaker) => void): Promise<number> {
    const before = await heapUsed();
    for (let made = 0; made < count; made++) use(new CircuitBreaker(brittle));
    return ((await heapUsed()) - before) / count;
  }

  test.each<[string, (breaker: CircuitBreaker) => void]>([
    ['closed', (breaker) => breaker.tryAcquire()?.settle('success')],
    ['open', (breaker) => breaker.tryAcquire()?.settle('failure', boom)],
    ['with a call that hangs', (breaker) => void breaker.tryAcquire()],
    ['with listeners', (breaker) => void breaker.on('failure', () => undefined)],
  ])('are collected: %s (B10: in opossum their timers hold them)', async (_, use) => {
    await keptOf(1_000, use);
    expect(await keptOf(25_000, use)).toBeLessThan(10);
  });

  test('are collected one by one, without a word of goodbye', async () => {
    const references = Array.from({ length: 100 }, () => {
      const breaker = circuitBreaker({ ...brittle, maximumWaiting: 5 });
      breaker.tryAcquire()?.settle('failure', boom);
      return new WeakRef(breaker);
    });
    await heapUsed();
    expect(references.filter((reference) => reference.deref() !== undefined)).toEqual([]);
  });

  test('are let go by the set that forgot them', async () => {
    const hosts = new CircuitBreakers({ maximumKeys: 10, ...brittle });
    hosts.on('failure', () => undefined);
    hosts.isolate();
    const references = Array.from({ length: 100 }, (_, key) => new WeakRef(hosts.get(String(key))));
    await heapUsed();
    expect(references.filter((reference) => reference.deref() !== undefined)).toHaveLength(10);
  });
});

describe('a breaker that lives long', () => {
  test.each([
    ['B1: by failures in its window', failureRate({ minimumCalls: 1e9, windowMs: 1e9 })],
    ['by slow ones', slowCallRate({ slowAfterMs: 1e9, minimumCalls: 1e9, windowMs: 1e9 })],
  ])('does not grow with its calls: %s', async (_, tripWhen) => {
    const { breaker } = virtual({ tripWhen });
    const run = (): void => {
      for (let call = 0; call < 200_000; call++)
        breaker.tryAcquire()?.settle(call % 2 ? 'failure' : 'success');
    };
    run();
    const before = await heapUsed();
    run();
    expect((await heapUsed()) - before).toBeLessThan(200 * kilobyte);
  });

  test('does not grow with its outages', async () => {
    const { breaker, pass } = virtual({ ...brittle, maximumWaiting: 5 });
    const run = async (): Promise<void> => {
      for (let outage = 0; outage < 5_000; outage++) {
        await trip(breaker, 1);
        pass(100);
        await breaker.execute(succeed);
      }
    };
    await run();
    const before = await heapUsed();
    await run();
    expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', totals: { failure: 10_000 } });
    expect((await heapUsed()) - before).toBeLessThan(200 * kilobyte);
  });

  test('keeps no listener that has stopped', () => {
    const { breaker } = virtual();
    for (let round = 0; round < 10_000; round++) {
      const stops = [breaker.on('success', () => undefined), breaker.subscribe(() => undefined)];
      for (const stop of stops) stop();
    }
    let heard = 0;
    breaker.on('success', () => heard++);
    breaker.tryAcquire()?.settle('success');
    expect(heard).toBe(1);
  });
});

describe('timers', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('none in any state (B8: nothing goes on after a breaker is dropped)', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
    const { breaker, pass } = virtual({ ...brittle, rampMs: 100, probeLeaseMs: 10 });
    const none = (): void => {
      expect(jest.getTimerCount()).toBe(0);
    };
    none();
    await trip(breaker, 1);
    none();
    pass(100);
    breaker.tryAcquire();
    none();
    pass(10);
    expect(breaker.state).toBe('open');
    none();
    pass(100);
    await breaker.execute(succeed);
    using hold = breaker.isolate();
    expect(hold).toBeDefined();
    none();
  });
});
