import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Closed } from './closed.ts';
import { rejectionOf, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { halfOpen } from './testing/virtual-breaker.ts';

trapRejections();

describe('the ramp after closing', () => {
  test('lets a tenth pass at first, more and more evenly, and all at its end', async () => {
    const { breaker, pass } = await halfOpen({ rampMs: 1_000 });
    breaker.tryAcquire()?.settle('success');
    expect([breaker.state, breaker.available]).toEqual(['closed', true]);
    const passed = (): string =>
      Array.from({ length: 20 }, () => {
        const permit = breaker.tryAcquire();
        permit?.settle('success');
        return permit === undefined ? '.' : 'x';
      }).join('');
    expect(passed()).toMatch(/^x\.{8,9}x\.{9,10}$/);
    pass(445);
    expect(passed()).toMatch(/^x{1,2}(\.x){9}\.?$/);
    pass(500);
    expect(passed().replaceAll('x', '')).toHaveLength(1);
    pass(55);
    expect(passed()).toBe('x'.repeat(20));
  });

  test('refuses with its own reason, and nobody knows for how long', async () => {
    const { breaker } = await halfOpen({ rampMs: 1_000 });
    breaker.tryAcquire()?.settle('success');
    await breaker.execute(succeed);
    expect(await rejectionOf(breaker.execute(succeed))).toMatchObject({
      message: 'circuit "users" is closed again and lets only a part of the calls pass yet',
      reason: 'ramping',
      retryAfterMs: 0,
      cause: undefined,
    });
  });

  test('a sick service opens the circuit again inside it', async () => {
    const { breaker } = await halfOpen({ rampMs: 1_000 });
    breaker.tryAcquire()?.settle('success');
    breaker.tryAcquire()?.settle('failure');
    expect(breaker.state).toBe('open');
  });

  test('is over at once when it is switched off', async () => {
    const { breaker } = await halfOpen({ rampMs: 1_000 });
    breaker.tryAcquire()?.settle('success');
    breaker.tryAcquire();
    expect(breaker.tryAcquire()).toBeUndefined();
    breaker.reconfigure({ rampMs: 0 });
    expect(breaker.tryAcquire()).toBeDefined();
    expect(breaker.tryAcquire()).toBeDefined();
  });

  test('is not for circuits that are reset, or new', async () => {
    const { breaker } = await halfOpen({ rampMs: 1_000 });
    breaker.reset();
    expect([breaker.tryAcquire(), breaker.tryAcquire()]).not.toContain(undefined);
  });

  test('never lets more pass than its part grows to, nor less by more than one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (gaps) => {
        const closed = new Closed(0, 0, true);
        let now = 0;
        let share = 0;
        let passed = 0;
        for (const gap of gaps) {
          now += gap;
          if (now >= 1_000) break;
          share += 0.1 + 0.9 * (now / 1_000);
          if (closed.passes(now, 1_000)) passed++;
          expect(passed).toBeLessThanOrEqual(share + 1 + 1e-9);
          expect(passed).toBeGreaterThan(share - 1e-9);
        }
      }),
    );
  });
});

describe('openings that are not forgotten', () => {
  test('fall away one for each calm, down to none', () => {
    const closed = new Closed(100, 3);
    const at = (now: number): number => closed.attempts(now, 10);
    expect([100, 109, 110, 119, 120, 130, 1_000].map(at)).toEqual([3, 3, 2, 2, 1, 0, 0]);
  });

  test('a clock that goes back forgets none, and adds none', () => {
    expect(new Closed(100, 3).attempts(0, 10)).toBe(3);
    const ramping = new Closed(100, 0, true);
    expect([ramping.passes(0, 100), ramping.passes(0, 100)]).toEqual([true, false]);
  });
});
