import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { retry } from './retry.ts';
import { pipeline } from './pipeline.ts';
import { faultInjector, seeded, settle, VirtualTime } from './testing.ts';
import { caller } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

describe('virtual time', () => {
  test('any plan of timers runs as a list sorted by time does, whatever is cleared or set on the way', async () => {
    const plans = fc.array(
      fc.record({
        delay: fc.integer({ min: 0, max: 50 }),
        clears: fc.option(fc.nat(10)),
        sets: fc.option(fc.integer({ min: 0, max: 30 })),
      }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(plans, fc.boolean(), async (plan, sync) => {
        const time = new VirtualTime({ startMs: 5 });
        const seen: string[] = [];
        const handles = plan.map(({ delay, clears, sets }, id) =>
          time.set(() => {
            seen.push(`${id} at ${time.now()}`);
            if (clears !== null) time.clear(handles[clears]);
            if (sets !== null)
              time.set(() => {
                seen.push(`${id}' at ${time.now()}`);
              }, sets);
          }, delay),
        );
        // The model keeps a list, and sorts it each time; sorting is stable.
        const wanted: string[] = [];
        let list = plan.map(({ delay }, id) => ({ at: 5 + delay, id, again: false }));
        for (;;) {
          list.sort((a, b) => a.at - b.at);
          const next = list.shift();
          if (next === undefined) break;
          wanted.push(`${next.id}${next.again ? "'" : ''} at ${next.at}`);
          const { clears, sets } = plan[next.id]!;
          if (next.again) continue;
          if (clears !== null) list = list.filter(({ id, again }) => again || id !== clears);
          if (sets !== null) list.push({ at: next.at + sets, id: next.id, again: true });
        }
        if (sync) time.advanceSync(100);
        else await time.advance(100);
        expect(seen).toEqual(wanted);
        expect([time.now(), time.pending]).toEqual([105, 0]);
      }),
    );
  });

  test('promises settle before the first timer, between two, and after the last', async () => {
    const time = new VirtualTime();
    const log: string[] = [];
    const after = async (text: string): Promise<void> => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      log.push(text);
    };
    void after('before');
    for (const name of ['one', 'two'])
      time.set(() => {
        log.push(name);
        void after(`after ${name}`);
      }, 10);
    await time.advance(10);
    expect(log).toEqual(['before', 'one', 'after one', 'two', 'after two']);
  });

  test('stalls without firing; what is overdue fires with the next advance, at the time that it is', () => {
    const time = new VirtualTime();
    const fired: number[] = [];
    for (const delay of [10, 20, 60]) time.set(() => fired.push(time.now()), delay);
    time.stall(50);
    expect([time.now(), fired, time.pending]).toEqual([50, [], 3]);
    time.advanceSync(10);
    expect(fired).toEqual([50, 50, 60]);
  });

  test('a timer that stalls does not make time go back', async () => {
    const time = new VirtualTime();
    time.set(() => {
      time.stall(100);
    }, 10);
    await time.advance(20);
    expect(time.now()).toBe(110);
  });

  test('shows a wall clock', () => {
    const time = new VirtualTime({ startMs: 1000 });
    time.stall(1500.9);
    expect(new Date(time.wallClock.now()).toISOString()).toBe('2026-01-01T00:00:01.500Z');
    expect(new VirtualTime({ wallStartMs: 7 }).wallClock.now()).toBe(7);
  });

  test.each([-1, NaN, 2 ** 31, Infinity])('refuses the delay %d', (delay) => {
    expect(() => new VirtualTime().set(() => undefined, delay)).toThrow(
      new RangeError(`virtualTime: delayMs must be a number from 0 to 2147483647, got ${delay}`),
    );
  });

  test('clears what has fired, or was never set', () => {
    const time = new VirtualTime();
    const handle = time.set(() => undefined, 1);
    time.advanceSync(1);
    time.clear(handle);
    time.clear(undefined);
    expect(time.pending).toBe(0);
  });
});

describe('seeded', () => {
  test('repeats itself for a seed, differs between seeds, and is even enough', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const [one, two, other] = [seeded(seed), seeded(seed), seeded(seed + 1)];
        const numbers = Array.from({ length: 2000 }, one);
        expect(Array.from({ length: 2000 }, two)).toEqual(numbers);
        expect(other()).not.toBe(numbers[0]);
        expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
        for (let tenth = 0; tenth < 10; tenth++) {
          const share = numbers.filter((number) => Math.floor(number * 10) === tenth).length;
          expect(share).toBeGreaterThan(120);
          expect(share).toBeLessThan(290);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('fault injector', () => {
  test('spoils its share of the calls, the same ones for a seed', async () => {
    const run = async (): Promise<string> => {
      const flaky = faultInjector({ rate: 0.3, error: () => new Error('injected'), random: seeded(7) });
      let outcomes = '';
      for (let call = 0; call < 1000; call++) outcomes += await flaky.execute(() => '.').catch(() => 'x');
      expect(flaky.injected).toBe(outcomes.split('x').length - 1);
      return outcomes;
    };
    const first = await run();
    expect(await run()).toBe(first);
    expect(first.split('x').length).toBeGreaterThan(250);
    expect(first.split('x').length).toBeLessThan(350);
  });

  test('adds latency, fixed or drawn', async () => {
    const time = new VirtualTime();
    const slow = faultInjector({ latencyMs: 100, timers: time });
    const ended: number[] = [];
    void slow.execute(() => ended.push(time.now()));
    await time.advance(99);
    expect(ended).toEqual([]);
    await time.advance(1);
    expect(ended).toEqual([100]);
    const drawn = faultInjector({ latencyMs: () => 7, timers: time });
    void drawn.execute(() => ended.push(time.now()));
    await time.advance(50);
    expect(ended).toEqual([100, 107]);
  });

  test('fails in place of the call, with an error as it is, undefined too, or one made for each', async () => {
    let called = 0;
    const boom = new Error('boom');
    for (const [error, reason] of [
      [boom, boom],
      [() => boom, boom],
      [undefined, undefined],
    ]) {
      const failing = faultInjector({ error });
      await expect(failing.execute(() => called++)).rejects.toBe(reason);
    }
    await expect(faultInjector({ rate: 0, error: boom }).execute(() => ++called)).resolves.toBe(1);
  });

  test('hangs until it is aborted', async () => {
    const gone = caller();
    const time = new VirtualTime();
    const hanging = faultInjector({ hang: true, latencyMs: 5, timers: time });
    let called = false;
    const call = hanging.execute(
      () => {
        called = true;
      },
      { signal: gone.signal },
    );
    await time.advance(1e9);
    gone.abort('gone');
    await expect(call).rejects.toBe('gone');
    await settle();
    expect([called, time.pending]).toEqual([false, 0]);
  });

  test('an outage ends when its rate becomes 0', async () => {
    const time = new VirtualTime();
    const outage = faultInjector({ error: new Error('down') });
    const calls = pipeline(retry({ maxAttempts: 10, timers: time, clock: time, random: () => 0.5 }), outage);
    const call = calls.execute(() => 'up');
    await settle();
    outage.rate = 0;
    await time.advance(60_000);
    await expect(call).resolves.toBe('up');
    expect([outage.rate, outage.injected]).toEqual([0, 1]);
    expect(() => {
      outage.rate = 2;
    }).toThrow(new RangeError('faultInjector: rate must be a number from 0 to 1, got 2'));
    expect(() => faultInjector({ latencyMs: -1 })).toThrow(RangeError);
  });

  test('runs on the platform without options', async () => {
    await expect(faultInjector({ latencyMs: 1 }).execute(() => 'late')).resolves.toBe('late');
  });
});
