import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { circuitBreaker } from './circuit-breaker.ts';
import { boom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { VirtualClock } from './testing/virtual-clock.ts';
import { TurnClock } from './turn-clock.ts';

trapRejections();

/** A turn clock whose turns end when told to. */
function turning(): {
  readonly clock: TurnClock;
  readonly real: VirtualClock;
  readonly endTurn: () => void;
  readonly timers: () => number;
  readonly readings: () => number;
} {
  const real = new VirtualClock();
  let readings = 0;
  let timers = 0;
  const ends: (() => void)[] = [];
  const counted = {
    now: () => {
      readings++;
      return real.now();
    },
  };
  const clock = new TurnClock(counted, (callback) => {
    timers++;
    ends.push(callback);
  });
  return {
    clock,
    real,
    endTurn: () => ends.shift()?.(),
    timers: () => timers,
    readings: () => readings,
  };
}

describe('TurnClock', () => {
  test('reads the real clock for callers that come one by one, and sets no timer', () => {
    const { clock, real, timers } = turning();
    for (const ms of [0, 1, 0.02, 5]) {
      real.pass(ms);
      if (ms > 0) expect(clock.now()).toBe(real.now());
    }
    expect(timers()).toBe(0);
  });

  test('shares one reading among a crowd, until the turn ends', () => {
    const { clock, real, endTurn, timers, readings } = turning();
    clock.now();
    clock.now();
    expect([readings(), timers()]).toEqual([2, 1]);
    real.pass(10);
    expect(clock.now()).toBe(0);
    expect(readings()).toBe(2);
    endTurn();
    expect(clock.now()).toBe(10);
  });

  test('shares it at most 64 times, with one timer however long the turn is', () => {
    const { clock, real, endTurn, timers, readings } = turning();
    clock.now();
    clock.now();
    real.pass(0.01);
    const looks = Array.from({ length: 65 }, () => clock.now());
    expect(looks.filter((now) => now === 0)).toHaveLength(64);
    expect(looks.at(-1)).toBe(0.01);
    expect([readings(), timers()]).toEqual([3, 1]);
    // The crowd is still there: it shares again, and the next turn has a timer of its own.
    real.pass(5);
    expect(clock.now()).toBe(0.01);
    endTurn();
    expect(clock.now()).toBe(5.01);
    clock.now();
    expect(timers()).toBe(2);
  });

  test('never goes back, and is never more than 64 looks or one turn behind', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(0, 0.001, 0.019, 0.02, 1), fc.boolean()), { maxLength: 300 }),
        (steps) => {
          const { clock, real, endTurn } = turning();
          let last = clock.now();
          let stale = 0;
          for (const [ms, ends] of steps) {
            if (ends) {
              endTurn();
              stale = 0;
            }
            real.pass(ms);
            const now = clock.now();
            expect(now).toBeGreaterThanOrEqual(last);
            stale = now === real.now() ? 0 : stale + 1;
            expect(stale).toBeLessThanOrEqual(64);
            last = now;
          }
        },
      ),
    );
  });

  test('works by the timers of the platform: after a turn a crowd reads anew', async () => {
    const real = new VirtualClock();
    const clock = new TurnClock(real);
    clock.now();
    clock.now();
    real.pass(7);
    expect(clock.now()).toBe(0);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    expect(clock.now()).toBe(7);
  });
});

describe('the timer of a turn', () => {
  const platform = globalThis as unknown as { setTimeout: (callback: () => void) => unknown };

  /** Lets a crowd set its timer, for which the platform gives this. */
  const crowdWith = (timer: unknown): void => {
    const setTimer = jest.spyOn(platform, 'setTimeout').mockReturnValueOnce(timer);
    const clock = new TurnClock(new VirtualClock());
    clock.now();
    clock.now();
    expect(setTimer).toHaveBeenCalledTimes(1);
    setTimer.mockRestore();
  };

  test('keeps no process alive', () => {
    let unrefs = 0;
    crowdWith({ unref: () => unrefs++ });
    expect(unrefs).toBe(1);
  });

  test.each([
    ['a number, as in browsers', 7],
    ['an object that keeps nothing alive', {}],
  ])('may be %s', (_, timer) => {
    expect(() => {
      crowdWith(timer);
    }).not.toThrow();
  });
});

declare function setTimeout(callback: (value: unknown) => void, delayMs: number): unknown;

test('a microtask loop that never ends its turn still sends a trial (opossum#580: its timer never fired)', async () => {
  const breaker = circuitBreaker({
    maximumFailuresAllowed: 1,
    successThreshold: 1,
    resetTimeoutInMilliseconds: 30,
    probeLeaseMs: 60_000,
  });
  breaker.tryAcquire()?.settle('failure', boom);
  let turns = 0;
  let trials = 0;
  // Bounded, so that a bug ends in a failed test: it takes far less time than so many turns do.
  while (trials === 0 && turns < 20_000_000) {
    turns++;
    await Promise.resolve();
    const permit = breaker.tryAcquire();
    if (permit !== undefined) trials++;
    permit?.settle('success');
  }
  expect([trials, breaker.state]).toEqual([1, 'closed']);
});
