import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CallResult } from './call.ts';
import { keyedRateLimiter } from './keyed-rate-limiter.ts';
import { isRateLimitedError, RateLimitedError } from './rate-limited-error.ts';
import { rateLimiter, type RateLimiter } from './rate-limiter.ts';
import type { RateLimiterOptions } from './rate-options.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { caller } from './testing/abort-controller.ts';
import { settle, VirtualTime } from './test-kit/virtual-time.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

function virtual(options: RateLimiterOptions): { limiter: RateLimiter; time: VirtualTime } {
  const time = new VirtualTime();
  return { limiter: rateLimiter({ ...options, clock: time, timers: time }), time };
}

/** Runs a call and notes in `log` when it passed, or what it was told. */
function note(limiter: RateLimiter, time: VirtualTime, log: unknown[], name: string, signal?: never): void {
  limiter
    .execute(() => log.push([name, time.now()]), { signal })
    .catch((error: unknown) => {
      log.push([name, isRateLimitedError(error) ? `refused for ${error.retryAfterMs}` : error]);
    });
}

describe('a limiter without a queue', () => {
  test('lets a burst pass, then one at a time, and says when to come again', async () => {
    const { limiter, time } = virtual({ name: 'api', limit: 10, periodMs: 1000, burst: 2 });
    await limiter.execute(() => 1);
    expect(limiter.tryAcquire()).toBeDefined();
    expect([limiter.available, limiter.retryAfterMs]).toEqual([false, 100]);
    let called = false;
    const refusal = await limiter
      .execute(() => {
        called = true;
      })
      .catch((error: unknown) => error);
    expect(called).toBe(false);
    expect(refusal).toBeInstanceOf(RateLimitedError);
    expect(refusal).toMatchObject({
      name: 'RateLimitedError',
      code: 'ERR_RATE_LIMITED',
      limiter: 'api',
      retryAfterMs: 100,
      message: 'rate limit "api" is used up for 100 ms',
    });
    expect((refusal as Error).stack).not.toContain('\n');
    time.stall(99.5);
    expect([limiter.available, limiter.tryAcquire()]).toEqual([false, undefined]);
    time.stall(0.5);
    await expect(limiter.execute(() => 'ok')).resolves.toBe('ok');
    expect(time.pending).toBe(0);
  });

  test('a permit is spent, however it is settled', () => {
    const { limiter } = virtual({ limit: 1 });
    limiter.tryAcquire()?.settle('failure');
    limiter.tryAcquire()?.[Symbol.dispose]();
    expect(limiter.available).toBe(false);
    limiter.giveBack();
    expect(limiter.available).toBe(true);
  });

  test('weighs calls', async () => {
    const { limiter, time } = virtual({ limit: 10, burst: 10 });
    const heavy = limiter.weighing(7);
    await heavy.execute(() => 1);
    expect([heavy.available, heavy.retryAfterMs, limiter.available]).toEqual([false, 400, true]);
    expect([limiter.tryAcquire(4), limiter.tryAcquire(3)]).toEqual([undefined, expect.anything()]);
    time.stall(700);
    expect(heavy.tryAcquire()).toBeDefined();
    heavy.giveBack();
    expect(heavy.available).toBe(true);
    for (const weight of [0, -1, 0.5, 11, NaN])
      expect(() => limiter.tryAcquire(weight)).toThrow(
        new RangeError(`rateLimiter: weight must be an integer from 1 to 10, got ${weight}`),
      );
    limiter.reconfigure({ limit: 5 });
    await expect(heavy.execute(() => 1)).rejects.toMatchObject({ retryAfterMs: Infinity });
  });

  test('tells its state', () => {
    const { limiter, time } = virtual({ name: 'api', limit: 10, periodMs: 60_000 });
    limiter.tryAcquire(3);
    time.stall(6000);
    expect(limiter.state).toEqual({
      name: 'api',
      limit: 10,
      periodMs: 60_000,
      remaining: 8,
      resetMs: 12_000,
      retryAfterMs: 0,
    });
  });

  test.each<[string, unknown, string]>([
    ['limit', 0, 'an integer >= 1'],
    ['limit', 1.5, 'an integer >= 1'],
    ['limit', NaN, 'an integer >= 1'],
    ['periodMs', 0, 'a number > 0'],
    ['periodMs', Infinity, 'a number > 0'],
    ['burst', 0, 'an integer >= 1'],
    ['maxWaitMs', -1, 'a finite number >= 0'],
    ['maxWaitMs', Infinity, 'a finite number >= 0'],
    ['name', 'ü', 'printable ASCII'],
    ['algorithm', 'leaky', "'gcra' or 'sliding-window'"],
    ['maxKeys', 0, 'an integer >= 1'],
  ])('refuses %s %s', (option, value, expected) => {
    expect(() => keyedRateLimiter({ limit: 1, [option]: value })).toThrow(
      new RangeError(`rateLimiter: ${option} must be ${expected}, got ${String(value)}`),
    );
  });

  test('pauses, drains and learns from results how long to pause', async () => {
    const asked = (result: CallResult): number | undefined => {
      if (result.ok && result.value === 'bad') throw new Error('a mistake in the reader');
      return (result.ok ? result.value : result.error) as number;
    };
    const { limiter, time } = virtual({ limit: 100, retryAfterMs: asked });
    await limiter.execute(() => 3000);
    expect(limiter.retryAfterMs).toBe(3000);
    limiter.pause(10);
    expect(limiter.retryAfterMs).toBe(3000);
    time.stall(3000);
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- any reason may come
    await expect(limiter.execute(() => Promise.reject(50))).rejects.toBe(50);
    expect(limiter.retryAfterMs).toBeCloseTo(50, 6);
    time.stall(10_000);
    await expect(limiter.execute(() => 'bad')).resolves.toBe('bad');
    expect(limiter.available).toBe(true);
    limiter.drain();
    expect(limiter.state).toMatchObject({ remaining: 0, retryAfterMs: 10 });
    expect(() => {
      limiter.pause(NaN);
    }).toThrow(RangeError);
  });

  test('works as a quota', () => {
    const { limiter, time } = virtual({ algorithm: 'sliding-window', limit: 3, periodMs: 1000 });
    for (const wanted of [true, true, true, false]) expect(limiter.tryAcquire() !== undefined).toBe(wanted);
    expect(limiter.retryAfterMs).toBe(1100);
    time.stall(1099);
    expect(limiter.available).toBe(false);
    time.stall(1);
    expect(limiter.state.remaining).toBe(3);
  });

  test('runs on the platform without options of time', async () => {
    const limiter = rateLimiter({ limit: 1000, burst: 1, maxWaitMs: 50 });
    await expect(Promise.all([1, 2, 3].map((n) => limiter.execute(() => n)))).resolves.toEqual([1, 2, 3]);
  });
});

describe('a limiter of many permits, which does not look at the clock for each', () => {
  test.each(['gcra', 'sliding-window'] as const)(
    '%s: lets never more pass than one that does, and refuses only when that has less than a 64th of its burst left',
    (algorithm) => {
      const steps = fc.array(
        fc.record({
          pass: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1500 })),
          calls: fc.integer({ min: 1, max: 150 }),
          act: fc.constantFrom('take', 'take', 'take', 'heavy', 'change', 'read'),
        }),
        { maxLength: 40 },
      );
      fc.assert(
        fc.property(steps, fc.integer({ min: 130, max: 600 }), (schedule, limit) => {
          const { limiter, time } = virtual({ algorithm, limit });
          // Keyed limiters always look.
          const exact = keyedRateLimiter({ algorithm, limit, clock: time, maxKeys: 1 }).of('one');
          for (const { pass, calls, act } of schedule) {
            time.stall(pass);
            if (act === 'change')
              for (const one of [limiter, exact]) one.reconfigure({ limit: limit + calls });
            if (act === 'read')
              expect(limiter.state.remaining).toBeGreaterThanOrEqual(exact.state.remaining - limit / 32 - 1);
            const weight = act === 'heavy' ? 20 : 1;
            const short = weight + (limit + 150) / 64 + 1;
            for (let call = 0; call < calls; call++) {
              const agreed = limiter.tryAcquire(weight)
                ? exact.tryAcquire(weight) !== undefined
                : exact.state.remaining <= short;
              if (!agreed) throw new Error(`call ${call} at ${time.now()}: ${exact.state.remaining} left`);
            }
          }
        }),
        { numRuns: 60 },
      );
    },
  );

  test('looks at the clock once for a 64th of the burst', () => {
    let looks = 0;
    const clock = {
      now: () => {
        looks++;
        return 0;
      },
    };
    const limiter = rateLimiter({ limit: 6400, clock });
    for (let call = 0; call < 6400; call++) expect(limiter.tryAcquire()).toBeDefined();
    expect(looks).toBeLessThan(70);
    expect(limiter.tryAcquire()).toBeUndefined();
  });
});

describe('waiting', () => {
  test('those who wait pass in order, as soon as they may; who would wait too long is refused at once', async () => {
    const { limiter, time } = virtual({ limit: 10, periodMs: 1000, burst: 1, maxWaitMs: 300 });
    const log: unknown[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) note(limiter, time, log, name);
    await settle();
    expect([limiter.queued, limiter.state.remaining, time.pending]).toEqual([3, 0, 1]);
    await time.advance(1000);
    expect(log).toEqual([
      ['a', 0],
      ['e', 'refused for 400'],
      ['b', 100],
      ['c', 200],
      ['d', 300],
    ]);
    expect([limiter.queued, time.pending]).toEqual([0, 0]);
  });

  test('nobody overtakes those who wait, however light', async () => {
    const { limiter, time } = virtual({ limit: 10, burst: 10, maxWaitMs: 5000 });
    limiter.tryAcquire(5);
    const log: unknown[] = [];
    note(limiter.weighing(10), time, log, 'heavy');
    note(limiter, time, log, 'light');
    expect([limiter.tryAcquire(), limiter.available, limiter.retryAfterMs]).toEqual([undefined, false, 700]);
    await time.advance(2000);
    expect(log).toEqual([
      ['heavy', 500],
      ['light', 600],
    ]);
  });

  test('a cancelled waiter gives its reservation back, and those behind it move up (resilience4j #314 kept it)', async () => {
    const { limiter, time } = virtual({ limit: 10, periodMs: 1000, burst: 10, maxWaitMs: 2000 });
    limiter.tryAcquire(10);
    const log: unknown[] = [];
    const { signal, abort } = caller();
    const heavy = limiter.weighing(10).execute(() => 1, { signal });
    note(limiter, time, log, 'behind');
    await time.advance(50);
    expect(limiter.retryAfterMs).toBe(1150);
    abort('gone');
    await expect(heavy).rejects.toBe('gone');
    await time.advance(2000);
    expect(log).toEqual([['behind', 100]]);
    expect(limiter.state.remaining).toBe(10);
  });

  test('an aborted caller is told at once, and never called', async () => {
    const { limiter, time } = virtual({ limit: 1, maxWaitMs: 5000 });
    limiter.tryAcquire();
    const gone = caller();
    let called = false;
    const call = limiter.execute(
      () => {
        called = true;
      },
      { signal: gone.signal },
    );
    gone.abort('gone');
    await expect(call).rejects.toBe('gone');
    expect([limiter.queued, time.pending, gone.listeners <= 0]).toEqual([0, 0, true]);
    await time.advance(10_000);
    expect(called).toBe(false);
  });

  test('a pause keeps all waiting, and those whose longest wait ends in it are refused', async () => {
    const { limiter, time } = virtual({ limit: 10, burst: 1, maxWaitMs: 200 });
    const log: unknown[] = [];
    for (const name of ['a', 'b']) note(limiter, time, log, name);
    limiter.pause(1000);
    await time.advance(2000);
    expect(log).toEqual([
      ['a', 0],
      ['b', 'refused for 800'],
    ]);
  });

  test('a faster rate lets those who wait pass earlier', async () => {
    const { limiter, time } = virtual({ limit: 1, burst: 1, maxWaitMs: 5000 });
    const log: unknown[] = [];
    for (const name of ['a', 'b', 'c']) note(limiter, time, log, name);
    await time.advance(100);
    limiter.reconfigure({ limit: 100, burst: 1 });
    await time.advance(100);
    expect(log).toEqual([
      ['a', 0],
      ['b', 109],
      ['c', 119],
    ]);
  });

  test('a call that comes out of a call that was let on keeps the order', async () => {
    const { limiter, time } = virtual({ limit: 10, burst: 1, maxWaitMs: 5000 });
    const log: unknown[] = [];
    limiter.tryAcquire();
    void limiter.execute(() => {
      log.push('first');
      note(limiter, time, log, 'inner');
    });
    note(limiter, time, log, 'second');
    await time.advance(1000);
    expect(log).toEqual(['first', ['second', 200], ['inner', 300]]);
  });

  test('GCRA against the exact reservation schedule, with aborts', async () => {
    const schedule = fc.array(
      fc.record({
        pass: fc.integer({ min: 0, max: 300 }),
        weight: fc.integer({ min: 1, max: 4 }),
        abortAfter: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined }),
      }),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 4, max: 10 }), schedule, async (burst, calls) => {
        // One permit each 50 ms.
        const { limiter, time } = virtual({ limit: 20, periodMs: 1000, burst, maxWaitMs: 600 });
        const seen: string[] = [];
        const wanted: string[] = [];
        const line: { id: number; weight: number; abortAt: number }[] = [];
        let tokens = burst;
        const aborts = new Map<number, () => void>();
        // The naive model steps through every millisecond.
        const step = (): void => {
          tokens = Math.min(burst, tokens + 0.02);
        };
        const serve = (): void => {
          for (let first = line[0]; first && tokens + 1e-6 >= first.weight; first = line[0]) {
            line.shift();
            tokens -= first.weight;
            wanted.push(`${first.id} at ${time.now()}`);
          }
        };
        const pass = async (ms: number): Promise<void> => {
          for (let tick = 0; tick < ms; tick++) {
            step();
            await time.advance(1);
            serve();
            for (const gone of line.filter(({ abortAt }) => abortAt <= time.now())) {
              line.splice(line.indexOf(gone), 1);
              wanted.push(`${gone.id} aborted at ${time.now()}`);
              aborts.get(gone.id)?.();
            }
            serve();
            await settle();
          }
        };
        for (const [id, { pass: ms, weight, abortAfter }] of calls.entries()) {
          await pass(ms);
          const { signal, abort } = caller();
          aborts.set(id, () => {
            abort('aborted');
          });
          const asked = line.reduce((sum, waiter) => sum + waiter.weight, 0);
          if ((asked + weight - tokens) * 50 > 600 + 1e-3) wanted.push(`${id} refused`);
          else line.push({ id, weight, abortAt: time.now() + (abortAfter ?? Infinity) });
          limiter
            .weighing(weight)
            .execute(() => seen.push(`${id} at ${time.now()}`), { signal })
            .catch((error: unknown) => {
              seen.push(`${id} ${error === 'aborted' ? `aborted at ${time.now()}` : 'refused'}`);
            });
          serve();
          await settle();
        }
        await pass(1000);
        // Of one millisecond the order does not matter: who leaves makes room for the next in the same breath.
        expect(seen.toSorted()).toEqual(wanted.toSorted());
        expect([limiter.queued, time.pending]).toEqual([0, 0]);
      }),
      { numRuns: 15 },
    );
  });

  test.each(['gcra', 'sliding-window'] as const)(
    '%s: 2000 who wait all pass, never too many at once',
    async (algorithm) => {
      const { limiter, time } = virtual({
        algorithm,
        limit: 100,
        periodMs: 1000,
        burst: 10,
        maxWaitMs: 60_000,
      });
      const passed: number[] = [];
      const calls = Array.from({ length: 2000 }, () => limiter.execute(() => passed.push(time.now())));
      for (let minute = 0; minute < 60 && limiter.queued > 0; minute++) await time.advance(1000);
      await Promise.all(calls);
      const most = algorithm === 'gcra' ? 110 : 100;
      for (let index = most; index < passed.length; index++)
        expect((passed[index] ?? 0) - (passed[index - most] ?? 0)).toBeGreaterThanOrEqual(1000 - 0.01);
    },
  );
});

describe('a limit for each key', () => {
  test('keys do not share, and a key that owes nothing costs nothing', () => {
    const time = new VirtualTime();
    const clients = keyedRateLimiter({ limit: 2, periodMs: 1000, clock: time, timers: time });
    for (const key of ['a', 'b']) {
      expect([clients.tryAcquire(key, 2), clients.tryAcquire(key)]).toEqual([expect.anything(), undefined]);
    }
    expect(clients.size).toBe(2);
    time.stall(1000);
    for (let key = 0; key < 1000; key++) {
      expect(clients.tryAcquire(`client ${key}`)).toBeDefined();
      time.stall(500);
    }
    expect(clients.size).toBeLessThanOrEqual(2);
  });

  test.each(['gcra', 'sliding-window'] as const)(
    '%s: with room enough each key has its own limit exactly; without, no key gets more (a flood of keys clears no debt)',
    (algorithm) => {
      const calls = fc.array(
        fc.record({ key: fc.integer({ min: 0, max: 5 }), pass: fc.integer({ min: 0, max: 200 }) }),
        { maxLength: 200 },
      );
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 6 }), calls, (maxKeys, schedule) => {
          const time = new VirtualTime();
          const options = { algorithm, limit: 3, periodMs: 1000, clock: time, timers: time };
          const clients = keyedRateLimiter<number>({ ...options, maxKeys });
          const apart = new Map<number, RateLimiter>();
          for (const { key, pass } of schedule) {
            time.stall(pass);
            const alone = apart.get(key) ?? rateLimiter(options);
            apart.set(key, alone);
            const passed = clients.tryAcquire(key) !== undefined;
            expect(clients.size).toBeLessThanOrEqual(maxKeys);
            if (maxKeys === 6) expect(passed).toBe(alone.available);
            // With too few places for all: never more than its own limit.
            if (passed) expect(alone.tryAcquire()).toBeDefined();
          }
        }),
      );
    },
  );

  test('when all places owe, further keys share one limit, and no place is lost', () => {
    const time = new VirtualTime();
    const clients = keyedRateLimiter<number>({ limit: 2, periodMs: 1000, maxKeys: 3, clock: time });
    for (const key of [1, 2, 3]) clients.tryAcquire(key, 2);
    expect([4, 5, 6].map((key) => clients.tryAcquire(key) !== undefined)).toEqual([true, true, false]);
    expect([1, 2, 3].map((key) => clients.of(key).available)).toEqual([false, false, false]);
    time.stall(1000);
    expect([6, 7, 8].map((key) => clients.tryAcquire(key, 2) !== undefined)).toEqual([true, true, true]);
    expect(clients.size).toBe(3);
  });

  test('those who wait hold their key, also while only a pause holds them', async () => {
    const time = new VirtualTime();
    const hosts = keyedRateLimiter({ limit: 1, maxWaitMs: 10_000, maxKeys: 1, clock: time, timers: time });
    const log: unknown[] = [];
    hosts.tryAcquire('a');
    note(hosts.of('a'), time, log, 'a waits');
    hosts.tryAcquire('b');
    note(hosts.of('b'), time, log, 'b waits');
    expect([hosts.size, hosts.of('a').queued, hosts.of('b').queued]).toEqual([1, 1, 1]);
    await time.advance(5000);
    expect(log).toEqual([
      ['a waits', 1000],
      ['b waits', 1000],
    ]);
    hosts.reconfigure({ limit: 5 });
    expect(hosts.of('b').state.remaining).toBe(5);
  });

  test('ten thousand keys and many calls stay within the places', () => {
    const time = new VirtualTime();
    const clients = keyedRateLimiter<number>({ limit: 1, periodMs: 100, maxKeys: 1000, clock: time });
    for (let call = 0; call < 300_000; call++) {
      clients.tryAcquire((call * 7919) % 10_000);
      if (call % 10 === 0) time.stall(1);
    }
    expect(clients.size).toBeLessThanOrEqual(1000);
    time.stall(1000);
    expect(clients.of(-1).state.remaining).toBe(1);
  });
});
