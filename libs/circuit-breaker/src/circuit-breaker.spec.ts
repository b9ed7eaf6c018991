import { describe, expect, test } from '@jest/globals';
import { circuitBreaker } from './circuit-breaker.ts';
import { CircuitOpenError } from './errors.ts';
import { fail, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

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
