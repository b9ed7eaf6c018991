import { describe, expect, test } from '@jest/globals';
import { consecutiveFailures } from './consecutive-failures.ts';
import { boom, deferred, fail, settled, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { brittle, halfOpen, trip, virtual } from './testing/virtual-breaker.ts';
import { failureCount, slowCallRate } from './window-rule.ts';

trapRejections();

describe('reconfigure', () => {
  test('keeps the options that are not named, the state and the window', async () => {
    const { breaker, pass } = virtual({ maximumFailuresAllowed: 5, resetTimeoutInMilliseconds: 100 });
    await trip(breaker, 4);
    breaker.reconfigure({ resetTimeoutInMilliseconds: 70 });
    expect(breaker.getSnapshot().failureCount).toBe(4);
    await trip(breaker, 1);
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 70]);
    breaker.reconfigure({ resetTimeoutInMilliseconds: 1_000 });
    expect(breaker.retryAfterMs).toBe(70);
    pass(70);
    await trip(breaker, 1);
    expect(breaker.retryAfterMs).toBe(1_000);
  });

  test('with a new rule counts anew, and calls under way no longer count', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 2 });
    await trip(breaker, 1);
    const work = deferred();
    const old = breaker.execute(() => work.promise);
    breaker.reconfigure({ maximumFailuresAllowed: 2 });
    expect(breaker.getSnapshot().failureCount).toBe(0);
    work.reject(boom);
    await expect(old).rejects.toBe(boom);
    expect(breaker.getSnapshot()).toMatchObject({ failureCount: 0, totals: { failure: 1 } });
    await trip(breaker, 2);
    expect(breaker.state).toBe('open');
  });

  test('of a half-open circuit lets its trials count, though the rule is new', async () => {
    const { breaker } = await halfOpen();
    const trial = breaker.tryAcquire();
    breaker.reconfigure({ tripWhen: consecutiveFailures(1) });
    trial?.settle('success');
    expect(breaker.state).toBe('closed');
  });

  test('of the two ways to say when it trips, the one named last holds', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 3, timeWindowInMilliseconds: 10 });
    breaker.reconfigure({ tripWhen: consecutiveFailures(2) });
    await trip(breaker, 2);
    expect(breaker.state).toBe('open');
    breaker.reset();
    breaker.reconfigure({ maximumFailuresAllowed: 1 });
    await trip(breaker, 1);
    expect(breaker.state).toBe('open');
    expect(() => {
      breaker.reconfigure({ tripWhen: failureCount(), maximumFailuresAllowed: 1 });
    }).toThrow(RangeError);
  });

  test('the window of an earlier option stays when only the number changes', async () => {
    const { breaker, pass } = virtual({ maximumFailuresAllowed: 9, timeWindowInMilliseconds: 100 });
    breaker.reconfigure({ maximumFailuresAllowed: 2 });
    await trip(breaker, 1);
    pass(110);
    await trip(breaker, 1);
    expect(breaker.state).toBe('closed');
    breaker.reconfigure({ timeWindowInMilliseconds: 1_000 });
    await trip(breaker, 1);
    pass(900);
    await trip(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  test('that is out of range changes nothing', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 2, resetTimeoutInMilliseconds: 50 });
    await trip(breaker, 1);
    const before = breaker.getSnapshot();
    expect(() => {
      breaker.reconfigure({ resetTimeoutInMilliseconds: 10, trials: 0 });
    }).toThrow(new RangeError('circuitBreaker: trials must be an integer >= 2, got 0'));
    expect(breaker.getSnapshot()).toBe(before);
    await trip(breaker, 1);
    expect(breaker.retryAfterMs).toBe(50);
  });

  test('tells the subscribers', () => {
    const { breaker } = virtual();
    let changes = 0;
    breaker.subscribe(() => changes++);
    breaker.reconfigure({ mode: 'shadow' });
    expect(changes).toBe(1);
    expect(breaker.getSnapshot().mode).toBe('shadow');
  });

  test('two breakers of one tuning part when one of them changes', async () => {
    const [one, other] = [virtual(brittle), virtual(brittle)];
    one.breaker.reconfigure({ maximumFailuresAllowed: 2 });
    await trip(one.breaker, 1);
    await trip(other.breaker, 1);
    expect([one.breaker.state, other.breaker.state]).toEqual(['closed', 'open']);
  });
});

describe('reconfiguring a half-open circuit never leaves it without a verdict', () => {
  test('fewer trials than have failed: it opens', async () => {
    const { breaker } = await halfOpen({ trials: 5, successThreshold: 2 });
    breaker.tryAcquire()?.settle('failure', boom);
    breaker.reconfigure({ trials: 2 });
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 100]);
  });

  test('fewer successes than there were are needed: it closes', async () => {
    const { breaker } = await halfOpen({ trials: 5, successThreshold: 3 });
    breaker.tryAcquire()?.settle('success');
    breaker.tryAcquire()?.settle('success');
    breaker.reconfigure({ successThreshold: 2 });
    expect(breaker.state).toBe('closed');
  });

  test('more trials: it lets them through', async () => {
    const { breaker } = await halfOpen({ trials: 1, successThreshold: 1 });
    breaker.tryAcquire();
    expect(breaker.available).toBe(false);
    breaker.reconfigure({ trials: 2 });
    expect(breaker.available).toBe(true);
  });

  test('fewer trials than are under way: their results still decide', async () => {
    const { breaker } = await halfOpen({ trials: 4, successThreshold: 1 });
    const trials = [1, 2, 3, 4].map(() => breaker.tryAcquire());
    breaker.reconfigure({ trials: 1 });
    expect(breaker.available).toBe(false);
    trials[0]?.settle('ignored');
    expect(breaker.available).toBe(false);
    trials[1]?.settle('success');
    expect(breaker.state).toBe('closed');
  });

  test('a lease that had run out by the old options has run out, though the new lease is longer', async () => {
    const { breaker, pass } = await halfOpen({ probeLeaseMs: 10 });
    const told: unknown[] = [];
    breaker.on('stateChange', ({ to }) => told.push(to));
    await settled();
    breaker.tryAcquire();
    pass(30);
    expect(breaker.retryAfterMs).toBe(80);
    breaker.reconfigure({ probeLeaseMs: 1_000 });
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 80]);
    expect(told).toEqual(['half-open', 'open']);
  });
});

test('slow calls count from the moment that the rule asks for them', async () => {
  const { breaker, pass } = virtual({ maximumFailuresAllowed: 9 });
  const work = deferred();
  const old = breaker.execute(() => work.promise);
  breaker.reconfigure({ tripWhen: slowCallRate({ slowAfterMs: 10, minimumCalls: 1 }) });
  pass(1_000);
  await expect(breaker.execute(succeed)).resolves.toBe('ok');
  expect(breaker.state).toBe('closed');
  const slow = deferred();
  const call = breaker.execute(() => slow.promise);
  pass(11);
  await expect(breaker.execute(fail)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  slow.resolve('late');
  work.resolve('later');
  await Promise.all([old, call]);
  expect(breaker.state).toBe('open');
});
