import { describe, expect, test } from '@jest/globals';
import type { CircuitMode } from './options.ts';
import { boom, deferred, fail, rejectionOf, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { brittle, halfOpen, trip, virtual } from './testing/virtual-breaker.ts';
import { slowCallRate } from './window-rule.ts';

trapRejections();

describe('shadow', () => {
  test('lives by the law and refuses nobody: it tells of those it would have refused', async () => {
    const { breaker, pass } = virtual({ ...brittle, mode: 'shadow' });
    const told: unknown[] = [];
    breaker.on('rejected', ({ reason, shadow, cause }) => told.push([reason, shadow, cause]));
    await trip(breaker, 1);
    expect([breaker.state, breaker.available]).toEqual(['open', true]);
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
    await expect(breaker.execute(fail)).rejects.toBe(boom);
    expect(told).toEqual([
      ['open', true, boom],
      ['open', true, boom],
    ]);
    // Those that passed all the same are in no window and no total.
    expect(breaker.getSnapshot()).toMatchObject({
      mode: 'shadow',
      totals: { success: 0, failure: 1, ignored: 0, rejected: 2 },
    });
    pass(100);
    const trial = breaker.tryAcquire();
    expect(breaker.tryAcquire()).toBeDefined();
    expect(told).toContainEqual(['half-open-full', true, boom]);
    trial?.settle('success');
    expect(breaker.state).toBe('closed');
  });

  test('refuses while somebody holds the circuit open', async () => {
    const { breaker } = virtual({ mode: 'shadow' });
    const told: unknown[] = [];
    breaker.on('rejected', ({ shadow }) => told.push(shadow));
    using hold = breaker.isolate();
    expect(hold).toBeDefined();
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({ reason: 'isolated' });
    expect(told).toEqual([false]);
    expect(breaker.available).toBe(false);
  });

  test('lets pass those that a ramp, or a call that finds others slow, would hold back', async () => {
    const ramping = await halfOpen({ rampMs: 1_000, mode: 'shadow' });
    ramping.breaker.tryAcquire()?.settle('success');
    const permits = Array.from({ length: 10 }, () => ramping.breaker.tryAcquire());
    expect(permits).not.toContain(undefined);
    expect(ramping.breaker.getSnapshot().totals.rejected).toBe(8);

    const slow = virtual({ mode: 'shadow', tripWhen: slowCallRate({ slowAfterMs: 10, minimumCalls: 1 }) });
    slow.breaker.tryAcquire();
    slow.pass(11);
    expect(slow.breaker.tryAcquire()).toBeDefined();
    expect(slow.breaker.getSnapshot()).toMatchObject({ state: 'open', totals: { rejected: 1 } });
  });
});

describe('disabled', () => {
  test('lets all pass and learns nothing from them', async () => {
    const { breaker } = virtual({ ...brittle, mode: 'disabled' });
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
    await trip(breaker, 5);
    expect(breaker.getSnapshot()).toMatchObject({
      state: 'closed',
      mode: 'disabled',
      totals: { success: 0, failure: 0, ignored: 0, rejected: 0 },
    });
    expect(breaker.available).toBe(true);
  });

  test('lets pass what an open circuit refused, and takes no trial', async () => {
    const { breaker, pass } = virtual(brittle);
    await trip(breaker, 1);
    breaker.reconfigure({ mode: 'disabled' });
    expect([breaker.state, breaker.available]).toEqual(['open', true]);
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
    pass(100);
    await trip(breaker, 1);
    expect(breaker.state).toBe('half-open');
    breaker.reconfigure({ mode: 'enabled' });
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
    expect(breaker.state).toBe('closed');
  });

  test('does not lift a hold', async () => {
    const { breaker } = virtual({ mode: 'disabled' });
    breaker.isolate();
    expect(breaker.available).toBe(false);
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({ reason: 'isolated' });
  });
});

describe('forced-open', () => {
  test('refuses all, and gives back the circuit as it was', async () => {
    const { breaker } = virtual({ mode: 'forced-open' });
    expect([breaker.state, breaker.available, breaker.retryAfterMs]).toEqual(['open', false, 0]);
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({
      message: 'circuit "users" is held open',
      reason: 'isolated',
      retryAfterMs: 0,
      cause: undefined,
    });
    expect(breaker.tryAcquire()).toBeUndefined();
    expect(breaker.getSnapshot()).toMatchObject({ state: 'open', mode: 'forced-open', isolated: false });
    breaker.reconfigure({ mode: 'enabled' });
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
  });

  test('calls under way still count', async () => {
    const { breaker } = virtual(brittle);
    const work = deferred();
    const call = rejectionOf(breaker.execute(() => work.promise));
    breaker.reconfigure({ mode: 'forced-open' });
    work.reject(boom);
    await call;
    breaker.reconfigure({ mode: 'enabled' });
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 100]);
  });
});

describe('isolate', () => {
  test('holds the circuit open until each holder has let go, once', async () => {
    const { breaker } = virtual();
    let changes = 0;
    breaker.subscribe(() => changes++);
    const first = breaker.isolate();
    const second = breaker.isolate();
    expect([breaker.state, breaker.available, breaker.getSnapshot().isolated]).toEqual(['open', false, true]);
    expect(breaker.tryAcquire()).toBeUndefined();
    first.release();
    first.release();
    first[Symbol.dispose]();
    expect(breaker.state).toBe('open');
    second[Symbol.dispose]();
    expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', isolated: false });
    await expect(breaker.execute(succeed)).resolves.toBe('ok');
    expect(changes).toBe(6);
  });

  test('by using, for as long as a block lasts', () => {
    const { breaker } = virtual();
    {
      using hold = breaker.isolate();
      expect(hold).toBeDefined();
      expect(breaker.available).toBe(false);
    }
    expect(breaker.available).toBe(true);
  });

  test('keeps what is under it: an open circuit runs out its break, calls under way count', async () => {
    const { breaker, pass } = virtual({ ...brittle, maximumFailuresAllowed: 2 });
    const permit = breaker.tryAcquire();
    await trip(breaker, 1);
    const hold = breaker.isolate();
    permit?.settle('failure', boom);
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({
      reason: 'isolated',
      retryAfterMs: 100,
      cause: boom,
    });
    pass(40);
    hold.release();
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 60]);
    const again = breaker.isolate();
    pass(60);
    expect(breaker.state).toBe('open');
    again.release();
    expect(breaker.state).toBe('half-open');
  });
});

test('an unknown mode is refused by name', () => {
  expect(() => virtual({ mode: 'off' as CircuitMode })).toThrow(
    new RangeError('circuitBreaker: mode must be one of enabled, shadow, disabled, forced-open, got "off"'),
  );
});
