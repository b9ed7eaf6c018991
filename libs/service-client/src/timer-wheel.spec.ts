import { describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import { Alarm, TimerWheel } from './timer-wheel.ts';

class Bell extends Alarm {
  readonly rungAt: number[] = [];
  readonly #time: VirtualTime;
  readonly #andThen: () => void;

  constructor(time: VirtualTime, andThen = (): void => undefined) {
    super();
    this.#time = time;
    this.#andThen = andThen;
  }

  ring(): void {
    this.rungAt.push(this.#time.now());
    this.#andThen();
  }
}

const tickMs = 50;

describe('timer wheel', () => {
  test('runs one timer while something is armed, and none a tick later', () => {
    const time = new VirtualTime();
    const wheel = new TimerWheel(time, time, tickMs);
    const bells = Array.from({ length: 1000 }, () => new Bell(time));
    expect(time.pending).toBe(0);
    for (const bell of bells) wheel.arm(bell, 5000, time.now());
    expect([time.pending, wheel.armed]).toEqual([1, 1000]);
    for (const bell of bells) wheel.disarm(bell);
    expect(wheel.armed).toBe(0);
    time.advanceSync(tickMs);
    expect(time.pending).toBe(0);
    wheel.arm(new Bell(time), 1, time.now());
    expect(time.pending).toBe(1);
  });

  test('whatever is armed, put off, disarmed: each rings once, never early, at most a tick late', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('arm' as const), delayMs: fc.oneof(fc.nat(400), fc.nat(60_000)) }),
      fc.record({ kind: fc.constant('disarm' as const), which: fc.nat(30) }),
      fc.record({ kind: fc.constant('putOff' as const), which: fc.nat(30), byMs: fc.nat(30_000) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.oneof(fc.nat(300), fc.nat(40_000)) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(1000), (steps, startMs) => {
        const time = new VirtualTime({ startMs });
        const wheel = new TimerWheel(time, time, tickMs);
        const all: { readonly bell: Bell; dueAt: number; disarmed: boolean }[] = [];
        for (const one of steps) {
          const open = all.filter(({ bell, disarmed }) => !disarmed && bell.rungAt.length === 0);
          if (one.kind === 'wait') time.advanceSync(one.ms);
          else if (one.kind === 'arm') {
            const bell = new Bell(time);
            wheel.arm(bell, one.delayMs, time.now());
            all.push({ bell, dueAt: time.now() + one.delayMs, disarmed: false });
          } else {
            const chosen = open[one.which % Math.max(1, open.length)];
            if (chosen === undefined) continue;
            if (one.kind === 'disarm') {
              wheel.disarm(chosen.bell);
              chosen.disarmed = true;
            } else chosen.bell.dueAt = chosen.dueAt += one.byMs;
          }
        }
        time.advanceSync(10_000_000);
        expect([wheel.armed, time.pending]).toEqual([0, 0]);
        for (const { bell, dueAt, disarmed } of all) {
          expect(bell.rungAt).toHaveLength(disarmed ? 0 : 1);
          for (const at of bell.rungAt) {
            expect(at).toBeGreaterThanOrEqual(dueAt);
            expect(at).toBeLessThanOrEqual(dueAt + tickMs);
          }
        }
      }),
    );
  });

  test('who rings may disarm a neighbour and arm another', () => {
    const time = new VirtualTime();
    const wheel = new TimerWheel(time, time, tickMs);
    const neighbour = new Bell(time);
    const again: Bell = new Bell(time);
    const first = new Bell(time, () => {
      wheel.disarm(neighbour);
      wheel.arm(again, 0, time.now());
    });
    wheel.arm(first, 100, 0);
    wheel.arm(neighbour, 100, 0);
    time.advanceSync(1000);
    expect([first.rungAt, neighbour.rungAt, again.rungAt]).toEqual([[100], [], [150]]);
  });

  test('after the process stood still for longer than a turn of the wheel, all that is due rings at once', () => {
    const time = new VirtualTime();
    const wheel = new TimerWheel(time, time, tickMs);
    const bells = [10, 500, 26_000, 90_000].map((delayMs) => {
      const bell = new Bell(time);
      wheel.arm(bell, delayMs, 0);
      return bell;
    });
    time.stall(60_000);
    time.advanceSync(0);
    expect(bells.map(({ rungAt }) => rungAt)).toEqual([[60_000], [60_000], [60_000], []]);
    time.advanceSync(30_000);
    expect(bells[3]?.rungAt).toEqual([90_000]);
  });
});
