import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { exponentialBreak } from './break-duration.ts';
import type { SavedCircuit } from './saved-circuit.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { brittle, halfOpen, trip, virtual, type VirtualBreaker } from './testing/virtual-breaker.ts';

trapRejections();

const hourMs = 3_600_000;
const savedAt = 1_800_000_000_000;

/** What is read after a restart: a monotonic clock that begins anew, and JSON. */
function restart(saved: SavedCircuit, wallNow: number, options = {}): VirtualBreaker {
  const both = virtual({ ...brittle, ...options }, 5);
  both.breaker.restore(JSON.parse(JSON.stringify(saved)) as SavedCircuit, wallNow);
  return both;
}

describe('goal 20: a circuit that is saved and restored', () => {
  test('closed: is closed, and its window starts empty', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 3 });
    await trip(breaker, 2);
    const saved = breaker.save(savedAt);
    expect(saved).toEqual({
      version: 1,
      state: 'closed',
      remainingMs: 0,
      failureCount: 2,
      attempt: 0,
      savedAt,
    });
    const next = restart(saved, savedAt);
    expect(next.breaker.getSnapshot()).toMatchObject({ state: 'closed', failureCount: 0 });
  });

  test('B7: open: stays open for what is left of its break, less the time that has passed', async () => {
    const { breaker, pass } = virtual(brittle);
    await trip(breaker, 1);
    pass(30);
    const saved = breaker.save(savedAt);
    expect(saved).toEqual({
      version: 1,
      state: 'open',
      remainingMs: 70,
      failureCount: 1,
      attempt: 1,
      savedAt,
    });
    const next = restart(saved, savedAt + 20);
    expect(next.breaker.getSnapshot()).toMatchObject({
      state: 'open',
      retryAfterMs: 50,
      failureCount: 1,
      openedAt: 5,
    });
    next.pass(49);
    expect(next.breaker.tryAcquire()).toBeUndefined();
    next.pass(1);
    next.breaker.tryAcquire()?.settle('success');
    expect(next.breaker.state).toBe('closed');
  });

  test('half-open: its trials end with the process, and new ones are let through at once', async () => {
    const { breaker } = await halfOpen();
    breaker.tryAcquire();
    const saved = breaker.save(savedAt);
    expect(saved).toMatchObject({ state: 'open', remainingMs: 0, attempt: 1 });
    const next = restart(saved, savedAt);
    expect([next.breaker.state, next.breaker.available]).toEqual(['half-open', true]);
  });

  test('half-open with a trial that is lost by now: open for the break that followed', async () => {
    const { breaker, pass } = await halfOpen({ probeLeaseMs: 10 });
    breaker.tryAcquire();
    pass(30);
    expect(breaker.save(savedAt)).toMatchObject({ state: 'open', remainingMs: 80, attempt: 2 });
  });

  test('held open, but closed by itself: is closed, since who holds it is not there any more', () => {
    const { breaker } = virtual();
    using hold = breaker.isolate();
    expect(hold).toBeDefined();
    expect(breaker.state).toBe('open');
    expect(breaker.save(savedAt)).toMatchObject({ state: 'closed', remainingMs: 0 });
    breaker.reconfigure({ mode: 'forced-open' });
    expect(breaker.save(savedAt).state).toBe('closed');
  });

  test('remembers its openings, so that the next break is longer', async () => {
    const breaks = { resetTimeoutInMilliseconds: exponentialBreak({ initialMs: 100, jitterRatio: 0 }) };
    const { breaker, pass } = virtual({ ...brittle, ...breaks });
    await trip(breaker, 1);
    pass(100);
    breaker.tryAcquire()?.settle('failure');
    expect(breaker.retryAfterMs).toBe(200);
    pass(200);
    breaker.tryAcquire()?.settle('success');
    const saved = breaker.save(savedAt);
    expect(saved).toMatchObject({ state: 'closed', attempt: 2 });
    const next = restart(saved, savedAt, breaks);
    await trip(next.breaker, 1);
    expect(next.breaker.retryAfterMs).toBe(400);
  });

  test.each([
    ['an hour ahead: the break is over', hourMs, 0],
    ['an hour back: the break is what was left, no longer', -hourMs, 70],
  ])('with a wall clock %s', async (_, step, left) => {
    const { breaker, pass } = virtual(brittle);
    await trip(breaker, 1);
    pass(30);
    const next = restart(breaker.save(savedAt), savedAt + step);
    expect(next.breaker.retryAfterMs).toBe(left);
  });

  test('what is saved at once after restoring is what was restored, in every state', () => {
    const saved = fc.oneof(
      fc.record({
        version: fc.constant(1 as const),
        state: fc.constant('closed' as const),
        remainingMs: fc.constant(0),
        failureCount: fc.constant(0),
        attempt: fc.nat(50),
        savedAt: fc.constant(savedAt),
      }),
      fc.record({
        version: fc.constant(1 as const),
        state: fc.constant('open' as const),
        remainingMs: fc.nat(hourMs),
        failureCount: fc.nat(99),
        attempt: fc.integer({ min: 1, max: 50 }),
        savedAt: fc.constant(savedAt),
      }),
    );
    fc.assert(
      fc.property(saved, (state) => {
        expect(restart(state, savedAt).breaker.save(savedAt)).toEqual(state);
      }),
    );
  });

  test('the wall clock is looked at when nobody tells the time', () => {
    const before = Date.now();
    const saved = virtual().breaker.save();
    expect(saved.savedAt).toBeGreaterThanOrEqual(before);
    const next = virtual();
    next.breaker.restore({ ...saved, state: 'open', remainingMs: hourMs, attempt: 1 });
    expect(next.breaker.state).toBe('open');
  });

  test('restoring counts a trial that was lost by then', async () => {
    const { breaker, pass } = await halfOpen({ probeLeaseMs: 10 });
    const lost: unknown[] = [];
    breaker.on('failure', (event) => lost.push(event));
    breaker.tryAcquire();
    pass(10);
    const { totals } = breaker.getSnapshot();
    breaker.restore(breaker.save(savedAt), savedAt);
    expect(breaker.getSnapshot().totals).toEqual(totals);
    expect(lost).toHaveLength(1);
  });

  test('restoring starts a new generation, and tells of it', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    const old = breaker.tryAcquire();
    const told: unknown[] = [];
    breaker.on('stateChange', ({ from, to }) => told.push(`${from} > ${to}`));
    breaker.subscribe(() => told.push('change'));
    breaker.restore(breaker.save(savedAt), savedAt);
    old?.settle('failure');
    expect(breaker.state).toBe('closed');
    await trip(breaker, 1);
    breaker.restore({ ...breaker.save(savedAt), state: 'closed' }, savedAt);
    expect(told).toEqual(['change', 'closed > open', 'change', 'open > closed', 'change']);
  });
});

test.each<[string, Record<string, unknown>]>([
  ['another version', { version: 2 }],
  ['an unknown state', { state: 'half-open' }],
  ['a break that is no number', { remainingMs: '5' }],
  ['a break without end', { remainingMs: Infinity }],
  ['a break below zero', { remainingMs: -1 }],
  ['failures that are no number', { failureCount: NaN }],
  ['openings below zero', { attempt: -1 }],
  ['no time', { savedAt: undefined }],
])('refuses %s', (_, wrong) => {
  const { breaker } = virtual();
  const saved = { ...breaker.save(savedAt), ...wrong } as SavedCircuit;
  expect(() => {
    breaker.restore(saved);
  }).toThrow(
    new RangeError(`circuitBreaker: saved must be what save() returned, got ${JSON.stringify(saved)}`),
  );
  expect(breaker.getSnapshot().state).toBe('closed');
});
