import { describe, expect, test } from '@jest/globals';
import { isCircuitOpenError } from './errors.ts';
import { boom, deferred, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip, virtual } from './testing/virtual-breaker.ts';

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
