import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
// eslint-disable-next-line @nx/enforce-module-boundaries -- the peer whose bug is shown
import * as cockatiel from 'cockatiel';
import fc from 'fast-check';
import type { CallSignal } from '@mesh/circuit-breaker';
import { isBulkheadFullError } from './bulkhead-full-error.ts';
import { bulkhead, type Bulkhead, type BulkheadOptions } from './bulkhead.ts';
import { pipeline } from './pipeline.ts';
import { settle, VirtualTime } from './test-kit/virtual-time.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

function virtual(options: BulkheadOptions = {}): { limit: Bulkhead; time: VirtualTime } {
  const time = new VirtualTime();
  return { limit: bulkhead({ ...options, clock: time, timers: time }), time };
}

/** How a call ended, in a word. */
const verdict = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => (isBulkheadFullError(error) ? error.reason : error),
  );

describe('bulkhead', () => {
  test('lets so many be under way and refuses the next, without a stack', async () => {
    const { limit, time } = virtual({ name: 'reports', maxConcurrent: 2 });
    const work = [pending<string>(), pending<string>()];
    const calls = work.map(({ promise }) => limit.execute(() => promise));
    expect([limit.active, limit.available, limit.tryAcquire()]).toEqual([2, false, undefined]);
    const refusal: unknown = await limit.execute(() => 'never').catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      name: 'BulkheadFullError',
      code: 'ERR_BULKHEAD_FULL',
      bulkhead: 'reports',
      reason: 'queue-full',
      message: 'bulkhead "reports" is full',
    });
    expect((refusal as Error).stack).not.toContain('\n');
    work[0]!.resolve('a');
    work[1]!.reject('b');
    await expect(Promise.allSettled(calls)).resolves.toEqual([
      { status: 'fulfilled', value: 'a' },
      { status: 'rejected', reason: 'b' },
    ]);
    expect([limit.active, limit.available, time.pending]).toEqual([0, true, 0]);
  });

  test.each<[string, () => unknown]>([
    ['a value', () => 1],
    ['undefined', () => undefined],
    [
      'a thenable',
      () => ({
        then: (resolve: (value: number) => void) => {
          resolve(1);
        },
      }),
    ],
    ['a promise', () => Promise.resolve(1)],
    [
      'a throw',
      () => {
        throw new Error('boom');
      },
    ],
    ['a rejection', () => Promise.reject(new Error('boom'))],
  ])('gives the slot back after %s', async (_, fn) => {
    for (const releaseOn of ['settled', 'aborted'] as const) {
      const { limit } = virtual({ maxConcurrent: 1, releaseOn });
      for (let call = 0; call < 3; call++) await verdict(limit.execute(fn));
      expect(limit.active).toBe(0);
    }
  });

  test('gives the slot back when an inner policy of somebody else throws instead of rejecting', async () => {
    for (const releaseOn of ['settled', 'aborted'] as const) {
      const { limit } = virtual({ maxConcurrent: 1, releaseOn });
      const broken = {
        layer: () => () => {
          throw new Error('broken');
        },
      };
      await expect(pipeline(limit, broken).execute(() => 1)).rejects.toThrow('broken');
      expect(limit.active).toBe(0);
    }
  });

  test.each<[string, unknown, string]>([
    ['maxConcurrent', 0, 'an integer >= 1'],
    ['maxConcurrent', 1.5, 'an integer >= 1'],
    ['maxConcurrent', Infinity, 'an integer >= 1'],
    ['maxQueue', -1, 'an integer >= 0'],
    ['maxQueue', NaN, 'an integer >= 0'],
    ['maxWaitMs', -1, 'a number >= 0'],
    ['lifoAfterMs', NaN, 'a number >= 0'],
    ['releaseOn', 'never', "'settled' or 'aborted'"],
  ])('refuses %s %s', (option, value, expected) => {
    expect(() => bulkhead({ [option]: value })).toThrow(
      new RangeError(`bulkhead: ${option} must be ${expected}, got ${String(value)}`),
    );
  });
});

describe('the queue', () => {
  /** A call holds the slot, one is queued, the first ends, and two newcomers call so many microtasks later. */
  async function overtaking(
    execute: (fn: () => unknown) => Promise<unknown>,
    turns: number,
  ): Promise<string[]> {
    const order: string[] = [];
    const run = (name: string): Promise<unknown> =>
      execute(() => order.push(name)).catch(() => order.push(`${name} refused`));
    const first = pending();
    const held = execute(() => first.promise);
    const queued = run('queued');
    first.resolve(undefined);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await Promise.all([held, queued, run('newcomer'), run('another')]);
    return order.filter((line) => line === 'newcomer' || line.startsWith('queued'));
  }

  test('B14: one in the queue is never overtaken, nor sent away for a newcomer, whenever that comes', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const { limit } = virtual({ maxConcurrent: 1, maxQueue: 1 });
      expect((await overtaking((fn) => limit.execute(fn), turns))[0]).toBe('queued');
    }
  });

  test('B14 on cockatiel: a newcomer at the wrong moment overtakes, and the one that was accepted is refused', async () => {
    const orders = [];
    for (let turns = 0; turns < 12; turns++) {
      const limit = cockatiel.bulkhead(1, 1);
      orders.push(await overtaking((fn) => limit.execute(fn), turns));
    }
    expect(orders).toContainEqual(['newcomer', 'queued refused']);
  });

  test('serves in order, and a slot is handed over, never free in between', async () => {
    const { limit } = virtual({ maxConcurrent: 2, maxQueue: 10 });
    const order: number[] = [];
    const works = Array.from({ length: 6 }, () => pending());
    const calls = works.map(({ promise }, index) =>
      limit.execute(() => {
        order.push(index);
        return promise;
      }),
    );
    for (const [index, work] of works.entries()) {
      expect(limit.available).toBe(false);
      work.resolve(index);
      await settle();
      if (index < 4) expect([limit.active, limit.queued]).toEqual([2, 3 - index]);
      if (index === 4) break;
    }
    works[5]!.resolve(5);
    await Promise.all(calls);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('an abort frees the place at once, in the middle of the line too, and the line goes on (cockatiel #112, #114)', async () => {
    const { limit, time } = virtual({ maxConcurrent: 1, maxQueue: 3, maxWaitMs: 1000 });
    const first = pending();
    const held = limit.execute(() => first.promise);
    const gone = caller();
    const ran: string[] = [];
    const a = limit.execute(() => ran.push('a'));
    const b = limit.execute(() => ran.push('b'), { signal: gone.signal });
    const c = limit.execute(() => ran.push('c'));
    expect(await verdict(limit.execute(() => 1))).toBe('queue-full');
    gone.abort('gone');
    expect(limit.queued).toBe(2);
    await expect(b).rejects.toBe('gone');
    const d = limit.execute(() => ran.push('d'));
    first.resolve(1);
    await Promise.all([held, a, c, d]);
    expect(ran).toEqual(['a', 'c', 'd']);
    expect([limit.active, limit.queued, time.pending, gone.listeners <= 0]).toEqual([0, 0, 0, true]);
  });

  test('a caller that has gone already takes no place', async () => {
    const { limit } = virtual({ maxConcurrent: 1, maxQueue: 1 });
    const held = limit.tryAcquire();
    const gone = caller();
    gone.abort('gone');
    await expect(limit.execute(() => 1, { signal: gone.signal })).rejects.toBe('gone');
    expect(limit.queued).toBe(0);
    held?.settle('success');
  });

  test('the longest wait ends a place, by one timer for all', async () => {
    const { limit, time } = virtual({ maxConcurrent: 1, maxQueue: 100, maxWaitMs: 100 });
    const held = limit.tryAcquire();
    const first = verdict(limit.execute(() => 1));
    await time.advance(60);
    const second = verdict(limit.execute(() => 2));
    expect(time.pending).toBe(1);
    await time.advance(40);
    await expect(first).resolves.toBe('wait-too-long');
    expect(limit.queued).toBe(1);
    await time.advance(59);
    held?.settle('success');
    await expect(second).resolves.toBe('done');
    expect(time.pending).toBe(0);
  });

  test('under overload the newest goes first, if you like', async () => {
    const { limit, time } = virtual({ maxConcurrent: 1, maxQueue: 100, lifoAfterMs: 50 });
    let held = limit.tryAcquire();
    const order: string[] = [];
    const wait = (name: string): void => void limit.execute(() => order.push(name));
    for (const name of ['a', 'b', 'c']) wait(name);
    held?.settle('success');
    await settle();
    expect(order).toEqual(['a', 'b', 'c']);
    held = limit.tryAcquire();
    for (const name of ['d', 'e']) wait(name);
    await time.advance(51);
    wait('f');
    held?.settle('success');
    await settle();
    expect(order).toEqual(['a', 'b', 'c', 'f', 'e', 'd']);
  });

  test('more slots let those who wait on at once; fewer interrupt nobody', async () => {
    const { limit } = virtual({ maxConcurrent: 1, maxQueue: 10 });
    const works = Array.from({ length: 4 }, () => pending());
    const calls = works.map(({ promise }) => limit.execute(() => promise));
    limit.reconfigure({ maxConcurrent: 3 });
    expect([limit.maxConcurrent, limit.active, limit.queued]).toEqual([3, 3, 1]);
    limit.reconfigure({ maxConcurrent: 1, maxQueue: 0 });
    expect([limit.active, limit.queued]).toEqual([3, 1]);
    works[0]!.resolve(0);
    works[1]!.resolve(1);
    await settle();
    expect([limit.active, limit.queued]).toEqual([1, 1]);
    works[2]!.resolve(2);
    await settle();
    expect([limit.active, limit.queued]).toEqual([1, 0]);
    works[3]!.resolve(3);
    await Promise.all(calls);
    expect(() => {
      limit.reconfigure({ maxConcurrent: 0 });
    }).toThrow(RangeError);
    expect(limit.maxConcurrent).toBe(1);
  });

  test('a waiter that is let on may call back in, and end the calls of others', async () => {
    const { limit } = virtual({ maxConcurrent: 2, maxQueue: 10 });
    const [one, two] = [limit.tryAcquire(), limit.tryAcquire()];
    const order: string[] = [];
    const calls: Promise<unknown>[] = ['a', 'b'].map((name) =>
      limit.execute(() => {
        order.push(name);
        two?.settle('success');
        expect(limit.tryAcquire()).toBeUndefined();
        calls.push(limit.execute(() => order.push(`of ${name}`)));
      }),
    );
    one?.settle('success');
    expect(order).toEqual(['a', 'b']);
    await settle();
    await Promise.all(calls);
    expect(order).toEqual(['a', 'b', 'of a', 'of b']);
    expect(limit.active).toBe(0);
  });
});

describe('when a slot becomes free', () => {
  test.each([
    ['settled', 1],
    ['aborted', 0],
  ] as const)(
    '%s: an aborted call whose work goes on holds %i slots, and gives one back once (resilience4j #263, #332 leaked permits)',
    async (releaseOn, holds) => {
      const { limit } = virtual({ maxConcurrent: 1, releaseOn });
      const gone = caller();
      const work = pending();
      const call = limit.execute(() => work.promise, { signal: gone.signal });
      gone.abort('gone');
      expect(limit.active).toBe(holds);
      await expect(call).rejects.toBe('gone');
      work.resolve(1);
      await settle();
      expect(limit.active).toBe(0);
    },
  );

  test('a permit gives it back once', () => {
    const { limit } = virtual({ maxConcurrent: 2 });
    const [one] = [limit.tryAcquire(), limit.tryAcquire()];
    one?.settle('success');
    one?.settle('failure');
    one?.[Symbol.dispose]();
    expect(limit.active).toBe(1);
  });

  test('a slot can be waited for, and held until a stream has ended', async () => {
    const { limit } = virtual({ maxConcurrent: 1, maxQueue: 1 });
    const first = await limit.acquire();
    const second = limit.acquire();
    await expect(limit.acquire()).rejects.toMatchObject({ code: 'ERR_BULKHEAD_FULL' });
    expect(limit.queued).toBe(1);
    first.settle('success');
    const held = await second;
    expect([limit.active, limit.queued]).toEqual([1, 0]);
    const gone = caller();
    const third = limit.acquire({ signal: gone.signal });
    gone.abort('gone');
    await expect(third).rejects.toBe('gone');
    held[Symbol.dispose]();
    await settle();
    expect(limit.active).toBe(0);
  });
});

describe('against a naive queue', () => {
  type Step =
    | { readonly act: 'call'; readonly signal: boolean }
    | { readonly act: 'end'; readonly which: number }
    | { readonly act: 'abort'; readonly which: number }
    | { readonly act: 'pass'; readonly ms: number }
    | { readonly act: 'resize'; readonly slots: number };

  const steps = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ act: fc.constant('call' as const), signal: fc.boolean() }) },
      { weight: 3, arbitrary: fc.record({ act: fc.constant('end' as const), which: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ act: fc.constant('abort' as const), which: fc.nat(20) }) },
      {
        weight: 2,
        arbitrary: fc.record({ act: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 150 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ act: fc.constant('resize' as const), slots: fc.integer({ min: 1, max: 4 }) }),
      },
    ),
    { maxLength: 60 },
  );

  test('any schedule of calls, ends, aborts, waits and resizes goes the same way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 4 }),
        fc.constantFrom('settled' as const, 'aborted' as const),
        steps,
        async (maxConcurrent, maxQueue, releaseOn, schedule) => {
          const { limit, time } = virtual({ maxConcurrent, maxQueue, maxWaitMs: 100, releaseOn });
          const seen: string[] = [];
          const wanted: string[] = [];
          const model = {
            slots: maxConcurrent,
            active: [] as number[],
            ghosts: 0,
            queue: [] as { id: number; until: number }[],
          };
          const works: { end: () => void; abort: () => void }[] = [];
          const serve = (): void => {
            while (model.queue.length > 0 && model.active.length + model.ghosts < model.slots) {
              const { id } = model.queue.shift()!;
              model.active.push(id);
              wanted.push(`${id} starts`);
            }
          };
          const act = async (step: Step): Promise<void> => {
            if (step.act === 'call') {
              const id = works.length;
              const work = pending();
              const { signal, abort } = caller();
              works.push({
                end: () => {
                  work.resolve(undefined);
                },
                abort: () => {
                  abort('aborted');
                },
              });
              if (model.queue.length === 0 && model.active.length + model.ghosts < model.slots) {
                model.active.push(id);
                wanted.push(`${id} starts`);
              } else if (model.queue.length < maxQueue) model.queue.push({ id, until: time.now() + 100 });
              else wanted.push(`${id} queue-full`);
              void verdict(
                limit.execute(
                  () => {
                    seen.push(`${id} starts`);
                    return work.promise;
                  },
                  step.signal ? { signal } : {},
                ),
              ).then((end) => seen.push(`${id} ${String(end)}`));
              if (!step.signal) works[id]!.abort = () => undefined;
            } else if (step.act === 'end') {
              const id = step.which;
              const index = model.active.indexOf(id);
              // Work that has not begun has no end.
              if (index >= 0 || ghosts.has(id)) works[id]?.end();
              if (index >= 0) {
                model.active.splice(index, 1);
                wanted.push(`${id} done`);
                serve();
              } else if (ghosts.delete(id)) {
                model.ghosts--;
                serve();
              }
            } else if (step.act === 'abort') {
              const id = step.which;
              if (works[id] === undefined || abortable.has(id)) return;
              await abortCall(id);
            } else if (step.act === 'resize') {
              model.slots = step.slots;
              limit.reconfigure({ maxConcurrent: step.slots });
              serve();
            } else {
              const until = time.now() + step.ms;
              for (const late of model.queue.filter((waiter) => waiter.until <= until))
                wanted.push(`${late.id} wait-too-long`);
              model.queue = model.queue.filter((waiter) => waiter.until > until);
              await time.advance(step.ms);
            }
            await settle();
          };
          const ghosts = new Set<number>();
          const abortable = new Set<number>();
          const abortCall = (id: number): Promise<void> => {
            const call = schedule.filter((step) => step.act === 'call')[id];
            abortable.add(id);
            if (call?.signal !== true) return Promise.resolve();
            works[id]!.abort();
            const active = model.active.indexOf(id);
            const queued = model.queue.findIndex((waiter) => waiter.id === id);
            if (active >= 0) {
              model.active.splice(active, 1);
              wanted.push(`${id} aborted`);
              if (releaseOn === 'settled') {
                model.ghosts++;
                ghosts.add(id);
              } else serve();
            } else if (queued >= 0) {
              model.queue.splice(queued, 1);
              wanted.push(`${id} aborted`);
            }
            return Promise.resolve();
          };
          for (const step of schedule) {
            await act(step);
            expect([limit.active, limit.queued]).toEqual([
              model.active.length + model.ghosts,
              model.queue.length,
            ]);
          }
          // What ends and what starts in one step may be heard in either order.
          expect([...seen].sort()).toEqual([...wanted].sort());
          const starts = (log: string[]): string[] => log.filter((line) => line.endsWith('starts'));
          expect(starts(seen)).toEqual(starts(wanted));
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('at length', () => {
  test('a million calls with one signal leave no listener on it, no slot taken and no timer', async () => {
    const { limit, time } = virtual({ maxConcurrent: 4, maxQueue: 1_000, maxWaitMs: 1000 });
    const listening = new Set<unknown>();
    let added = 0;
    const signal: CallSignal = {
      aborted: false,
      addEventListener: (_, listener) => {
        added++;
        listening.add(listener);
      },
      removeEventListener: (_, listener) => {
        listening.delete(listener);
      },
    };
    for (let round = 0; round < 1000; round++) {
      const calls: Promise<number>[] = [];
      for (let call = 0; call < 1000; call++) calls.push(limit.execute(() => 1, { signal }));
      await Promise.all(calls);
    }
    expect([added, listening.size, limit.active, limit.queued, time.pending]).toEqual([
      1_000_000, 0, 0, 0, 0,
    ]);
  }, 60_000);

  test('B21: half a million who wait are aborted one by one or served, each in constant time', async () => {
    const count = 500_000;
    const { limit } = virtual({ maxConcurrent: 1, maxQueue: count, maxWaitMs: 1000 });
    const held = limit.tryAcquire();
    let done = 0;
    const calls: Promise<unknown>[] = [];
    const gone = caller();
    // Some leave, from anywhere in the line: an array would move 10^8 places for them, and 10^11 for those who are served.
    for (let index = 0; index < count; index++)
      calls.push(
        limit
          .execute(() => done++, index % 1000 === 0 ? { signal: gone.signal } : undefined)
          .catch(() => undefined),
      );
    gone.abort('gone');
    expect(limit.queued).toBe(count - count / 1000);
    held?.settle('success');
    await Promise.all(calls);
    expect([done, limit.queued, limit.active]).toEqual([count - count / 1000, 0, 0]);
  }, 60_000);
});
