import { describe, expect, test } from '@jest/globals';
import { isCircuitOpenError } from './errors.ts';
import { boom, deferred, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { halfOpen, trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

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
    const work = deferred();
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

describe('of several trials some may fail', () => {
  /** Ends trials as the letters say: o(k), f(ailed), i(gnored). */
  async function verdictOf(letters: string, trials: number, successThreshold: number): Promise<string> {
    const { breaker } = await halfOpen({ trials, successThreshold });
    const outcomes = { o: 'success', f: 'failure', i: 'ignored' } as const;
    for (const letter of letters.split('')) breaker.tryAcquire()?.settle(outcomes[letter as 'o' | 'f' | 'i']);
    return breaker.state;
  }

  test.each([
    ['closes as early as it is certain', 'oo', 5, 2, 'closed'],
    ['and not before', 'ofo', 5, 3, 'half-open'],
    ['closes with all that were needed', 'offfo', 5, 2, 'closed'],
    ['opens as early as it is certain', 'ffff', 5, 2, 'open'],
    ['and not before', 'fff', 5, 2, 'half-open'],
    ['opens at the first failure that leaves too few', 'of', 2, 2, 'open'],
    ['ignored ones are no part of it', 'iiiifiii', 5, 4, 'half-open'],
    ['nor do they take a place for good', 'iiiioo', 2, 2, 'closed'],
  ])('%s: %s of %d, %d needed', (_, letters, trials, threshold, verdict) =>
    expect(verdictOf(letters, trials, threshold)).resolves.toBe(verdict),
  );

  test('never more of them, under way and ended, than trials', async () => {
    const { breaker } = await halfOpen({ trials: 3, successThreshold: 2 });
    const first = [breaker.tryAcquire(), breaker.tryAcquire(), breaker.tryAcquire()];
    expect(breaker.tryAcquire()).toBeUndefined();
    first[0]?.settle('failure');
    expect([breaker.available, breaker.getSnapshot().successCount]).toEqual([false, 0]);
    first[1]?.settle('success');
    expect([breaker.available, breaker.getSnapshot().successCount]).toEqual([false, 1]);
    first[2]?.settle('ignored');
    expect(breaker.available).toBe(true);
    breaker.tryAcquire()?.settle('success');
    expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', successCount: 0 });
  });

  test('one that hangs is one that failed: it opens the circuit only when too few are left', async () => {
    const { breaker, pass } = await halfOpen({ trials: 3, successThreshold: 2, probeLeaseMs: 10 });
    const lost: unknown[] = [];
    breaker.on('failure', ({ error }) => lost.push((error as Error).message));
    const hung = breaker.tryAcquire();
    pass(5);
    const other = breaker.tryAcquire();
    pass(5);
    expect([breaker.state, breaker.getSnapshot().totals.failure]).toEqual(['half-open', 2]);
    hung?.settle('success');
    expect(lost).toEqual(['a trial call of circuit "users" gave no answer within 10 ms']);
    expect(breaker.getSnapshot()).toMatchObject({ successCount: 0, totals: { success: 0, failure: 2 } });
    breaker.tryAcquire()?.settle('success');
    pass(4.9);
    expect(breaker.state).toBe('half-open');
    pass(0.1);
    expect(breaker.getSnapshot()).toMatchObject({
      state: 'open',
      failureCount: 2,
      retryAfterMs: 100,
      totals: { success: 1, failure: 3 },
    });
    other?.settle('success');
    expect(breaker.getSnapshot()).toMatchObject({ state: 'open', totals: { success: 1, failure: 3 } });
  });

  test('the break after trials that hang begins when the verdict was certain, whoever looks when', async () => {
    const { breaker, pass } = await halfOpen({ trials: 3, successThreshold: 2, probeLeaseMs: 10 });
    for (const waitMs of [3, 3, 0]) {
      breaker.tryAcquire();
      pass(waitMs);
    }
    pass(60);
    // The second is lost 13 ms after the first began; 66 have passed.
    expect(breaker.retryAfterMs).toBe(100 - 66 + 13);
    expect(breaker.getSnapshot()).toMatchObject({ openedAt: 113, failureCount: 2, totals: { failure: 3 } });
    breaker.tryAcquire();
    expect(breaker.getSnapshot()).toMatchObject({ openedAt: 113, failureCount: 2, totals: { failure: 3 } });
  });

  test('a reset counts those that were lost by then', async () => {
    const { breaker, pass } = await halfOpen({ probeLeaseMs: 10 });
    breaker.tryAcquire();
    pass(10);
    breaker.reset();
    expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', totals: { failure: 2 } });
  });
});

test('goal 10: a synchronous throw, a cancel and a listener that calls back in let nobody more through', async () => {
  const { breaker } = await halfOpen({ trials: 2, successThreshold: 2 });
  const admitted: unknown[] = [];
  const take = (): void => {
    const permit = breaker.tryAcquire();
    if (permit !== undefined) admitted.push(permit);
  };
  breaker.on('ignored', take);
  breaker.subscribe(take);
  breaker.tryAcquire()?.settle('ignored');
  expect(admitted).toHaveLength(2);
  expect(breaker.available).toBe(false);
});
