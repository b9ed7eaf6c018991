import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Check, CheckResult } from './check.ts';
import type { Timers } from './clock.ts';
import type { ProbeTask } from './job.ts';
import { Prober } from './prober.ts';
import { VirtualTime } from './testing/virtual-time.ts';

interface Seen {
  readonly at: number;
  readonly status: string;
  readonly latencyMs: number | undefined;
}

class Task implements ProbeTask {
  readonly starts: number[] = [];
  readonly seen: Seen[] = [];
  readonly check: Check;
  readonly timeoutMs: number;
  readonly everyMs: number;
  readonly firstMs: number;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, check: Check, { timeoutMs = 2000, everyMs = 10_000, firstMs = 0 } = {}) {
    this.#time = time;
    this.check = (signal) => {
      this.starts.push(time.now());
      return check(signal);
    };
    this.timeoutMs = timeoutMs;
    this.everyMs = everyMs;
    this.firstMs = firstMs;
  }
  firstDelayMs(): number {
    return this.firstMs;
  }
  nextDelayMs(inconclusive: boolean): number {
    return inconclusive ? 1000 : this.everyMs;
  }
  found(result: CheckResult, latencyMs: number | undefined): void {
    this.seen.push({ at: this.#time.now(), status: result.status ?? 'up', latencyMs });
  }
}

const proberOn = (time: VirtualTime, options: Partial<ConstructorParameters<typeof Prober>[0]> = {}) =>
  new Prober({
    concurrency: 8,
    slowConcurrency: 4,
    lingerMs: 250,
    stallMs: 250,
    clock: time,
    timers: time,
    ...options,
  });

const answersIn =
  (time: VirtualTime, ms: number): Check =>
  async () => {
    await time.sleep(ms);
    return undefined;
  };
const hangs: Check = () => new Promise(() => undefined);

test('a target is looked at at its interval, and its latency is measured', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time);
  const task = new Task(time, answersIn(time, 30));
  prober.add(task);
  await time.advance(60_000);
  expect(task.starts).toHaveLength(6);
  expect(task.seen.every(({ status, latencyMs }) => status === 'up' && latencyMs === 30)).toBe(true);
  prober.close();
  expect(time.pending).toBe(0);
});

test('a check that hangs is down at its timeout, its signal aborts and its late answer is nothing', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time);
  let aborted = 0;
  const task = new Task(time, async (signal) => {
    signal.addEventListener('abort', () => aborted++);
    await time.sleep(3000);
    return undefined;
  });
  prober.add(task);
  await time.advance(9000);
  expect(task.seen).toHaveLength(1);
  expect(task.seen[0]).toMatchObject({ status: 'down' });
  expect(task.seen[0]!.at).toBeGreaterThanOrEqual(2000);
  expect(task.seen[0]!.at).toBeLessThanOrEqual(2050);
  expect(aborted).toBe(1);
});

test('targets that hang delay nobody, even when they are more than there are seats', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time);
  const good = Array.from({ length: 40 }, (_, index) => {
    return new Task(time, answersIn(time, 5), { firstMs: index * 250 });
  });
  const bad = Array.from({ length: 20 }, () => new Task(time, hangs, { everyMs: 500 }));
  for (const task of [...good, ...bad]) prober.add(task);
  await time.advance(120_000);
  for (const task of good) {
    // By then it is known who hangs.
    const later = task.starts.filter((at) => at > 10_000);
    const gaps = later.slice(1).map((at, index) => at - later[index]!);
    expect(later.length).toBeGreaterThanOrEqual(10);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(10_100);
  }
});

test('who hangs for the first time gives its seat up after a moment', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time, { concurrency: 2, slowConcurrency: 2 });
  for (let index = 0; index < 2; index++) prober.add(new Task(time, hangs));
  const waiting = new Task(time, () => undefined, { firstMs: 50 });
  prober.add(waiting);
  await time.advance(1000);
  expect(waiting.starts).toHaveLength(1);
  expect(waiting.starts[0]).toBeGreaterThanOrEqual(250);
  expect(waiting.starts[0]).toBeLessThanOrEqual(400);
});

test('a stall of 5 s moves everything and blames nobody', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time);
  // Connections that break in the meantime, answers that come too late: neither is the fault of a target.
  const breaks = new Task(time, async () => {
    await time.sleep(1000);
    if (time.now() > 11_000 && time.now() < 17_000) throw new Error('reset');
    return undefined;
  });
  const slow = new Task(time, answersIn(time, 1500));
  prober.add(breaks);
  prober.add(slow);
  await time.advance(11_900);
  time.stall(5000);
  await time.advance(60_000);
  for (const task of [breaks, slow]) expect(task.seen.filter(({ status }) => status === 'down')).toEqual([]);
  expect(slow.seen.filter(({ latencyMs }) => latencyMs !== undefined && latencyMs > 1600)).toEqual([]);
  expect(prober.health.stalls).toBe(1);
  expect(prober.health.stalledMs).toBeGreaterThan(4700);
});

test('an answer that came in time and is read a little late is an answer', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time);
  // Read after the timer of the deadline, as Node does with what arrived while the loop was busy.
  const task = new Task(time, answersIn(time, 2003));
  prober.add(task);
  await time.advance(1900);
  time.stall(200);
  await time.advance(20_000);
  expect(task.seen[0]).toMatchObject({ status: 'up' });
  // Without a late timer it is too late.
  expect(task.seen[1]).toMatchObject({ status: 'down' });
});

test('a busy loop that makes every timer a little late slows nothing down', async () => {
  const time = new VirtualTime(0);
  const late: Timers = {
    setTimeout: (callback, ms) => time.setTimeout(callback, ms + 30),
    clearTimeout: (handle) => {
      time.clearTimeout(handle);
    },
  };
  const prober = proberOn(time, { timers: late });
  const task = new Task(time, answersIn(time, 50), { everyMs: 1000 });
  prober.add(task);
  await time.advance(100_000);
  expect(task.starts.length).toBeGreaterThan(85);
  expect(prober.health.stalledMs).toBe(0);
});

test('after a stall nothing is made up for: no burst', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time);
  const tasks = Array.from(
    { length: 100 },
    (_, index) => new Task(time, () => undefined, { firstMs: index * 100 }),
  );
  for (const task of tasks) prober.add(task);
  await time.advance(30_000);
  time.stall(60_000);
  const before = tasks.map(({ starts }) => starts.length);
  await time.advance(9_900);
  tasks.forEach(({ starts }, index) => {
    expect(starts.length - before[index]!).toBeLessThanOrEqual(1);
  });
});

test('hasten brings the next look forward and never puts it off', async () => {
  const time = new VirtualTime(0);
  const prober = proberOn(time);
  const task = new Task(time, () => undefined);
  prober.add(task);
  await time.advance(100);
  prober.hasten(task, 1000);
  prober.hasten(task, 5000);
  await time.advance(1020);
  expect(task.starts).toHaveLength(2);
});

test('whatever is added and removed: one check of a target at a time, seats are kept, nothing is left behind', async () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 3000 }),
    act: fc.constantFrom('add', 'remove', 'stall', 'none'),
    which: fc.nat(11),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 12, maxLength: 12 }),
      async (steps, takes) => {
        const time = new VirtualTime(0);
        const prober = proberOn(time, { concurrency: 3, slowConcurrency: 2 });
        const running = new Set<number>();
        let most = 0;
        const tasks = takes.map((ms, index) => {
          const task = new Task(
            time,
            async (signal) => {
              expect(running.has(index)).toBe(false);
              running.add(index);
              most = Math.max(most, running.size);
              const over = new Promise<void>((resolve) => {
                signal.addEventListener('abort', resolve);
              });
              await Promise.race([time.sleep(ms), over]);
              running.delete(index);
              return undefined;
            },
            { everyMs: 1000 },
          );
          return task;
        });
        const added = new Set<Task>();
        for (const { wait, act, which } of steps) {
          await time.advance(wait);
          const task = tasks[which]!;
          if (act === 'add') {
            prober.add(task);
            added.add(task);
          }
          if (act === 'remove') {
            prober.remove(task);
            added.delete(task);
          }
          if (act === 'stall') time.stall(700);
          expect(prober.size).toBe(added.size);
        }
        const counts = new Map([...added].map((task) => [task, task.starts.length]));
        // 12 targets on 5 seats, each of which is held for at most the timeout: everybody had a turn by then.
        await time.advance(30_000);
        for (const [task, count] of counts) expect(task.starts.length).toBeGreaterThan(count);
        expect(most).toBeLessThanOrEqual(5);
        prober.close();
        await time.advance(10);
        expect(prober.health).toMatchObject({ targets: 0, running: 0, waiting: 0 });
      },
    ),
    { numRuns: 60 },
  );
});
