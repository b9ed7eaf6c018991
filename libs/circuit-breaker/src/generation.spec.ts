import { describe, expect, test } from '@jest/globals';
import { consecutiveFailures } from './consecutive-failures.ts';
import { boom, deferred, fail, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip, virtual } from './testing/virtual-breaker.ts';
import { failureCount, failureRate, windowRule } from './window-rule.ts';

trapRejections();

describe('generations', () => {
  test('B5: a late success of a call from before the outage does not close a half-open circuit', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    const work = deferred();
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
    const work = deferred();
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

  test('B13: late failures from before the outage are in no new window, of whatever rule', async () => {
    for (const tripWhen of [
      consecutiveFailures(3),
      failureCount({ failures: 3, windowCalls: 10 }),
      failureRate({ minimumCalls: 3 }),
      windowRule({ slowAfterMs: 1e6, trips: ({ failures }) => failures >= 3 }),
    ]) {
      const { breaker, pass } = virtual({ tripWhen, successThreshold: 1 });
      const old = Array.from({ length: 6 }, () => breaker.tryAcquire());
      for (let call = 0; call < 3; call++) breaker.tryAcquire()?.settle('failure');
      expect(breaker.state).toBe('open');
      pass(30_000);
      await breaker.execute(succeed);
      const before = breaker.getSnapshot();
      expect(before.state).toBe('closed');
      for (const permit of old) permit?.settle('failure');
      expect(breaker.getSnapshot()).toBe(before);
    }
  });

  test('a wrapped function that was made before the outage protects by the circuit of now', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    const load = breaker.wrap(fail);
    for (let outage = 0; outage < 3; outage++) {
      for (let call = 0; call < 3; call++) await load().catch(() => undefined);
      expect(breaker.state).toBe('open');
      pass(30_000);
      await breaker.execute(succeed);
      expect(breaker.state).toBe('closed');
    }
  });
});
