import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  adaptiveConcurrency,
  isOverload,
  type AdaptiveConcurrency,
  type AdaptiveConcurrencyOptions,
} from './adaptive-concurrency.ts';
import { aimd } from './aimd.ts';
import { gradient } from './gradient.ts';
import type { LimitFinder, LimitLaw, LimitSample } from './limit-law.ts';
import { pipeline } from './pipeline.ts';
import { seeded } from './test-kit/seeded.ts';
import { settle, VirtualTime } from './test-kit/virtual-time.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { SimulatedServer, type Course, type ServerOptions } from './testing/simulated-server.ts';
import { trapUnhandled } from './testing/unhandled.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

function virtual(options: AdaptiveConcurrencyOptions = {}): {
  limit: AdaptiveConcurrency;
  time: VirtualTime;
} {
  const time = new VirtualTime();
  return { limit: adaptiveConcurrency({ ...options, clock: time, timers: time }), time };
}

/** A law that takes notes and answers what it is told to. */
function noting(answer = (sample: LimitSample): number => sample.limit): {
  law: LimitLaw;
  samples: LimitSample[];
} {
  const samples: LimitSample[] = [];
  const next = (sample: LimitSample): number => {
    samples.push(sample);
    return answer(sample);
  };
  return { law: () => ({ next }), samples };
}

describe('adaptive concurrency', () => {
  test('tells the law how long a call took, among how many, and whether it was dropped', async () => {
    const { law, samples } = noting();
    const { limit, time } = virtual({ law, initialLimit: 2 });
    const [slow, fast] = [pending(), pending()];
    const calls = [limit.execute(() => slow.promise), limit.execute(() => fast.promise)];
    time.stall(30);
    fast.resolve(1);
    await settle();
    time.stall(20);
    slow.reject(Object.assign(new Error('late'), { code: 'ERR_TIMEOUT' }));
    await Promise.allSettled(calls);
    expect(samples).toEqual([
      { rttMs: 30, inFlight: 2, dropped: false, startedAt: 0, now: 30, limit: 2 },
      { rttMs: 50, inFlight: 1, dropped: true, startedAt: 0, now: 50, limit: 2 },
    ]);
    expect(limit.active).toBe(0);
  });

  test('other errors, ignored permits and callers that went away say nothing', async () => {
    const { law, samples } = noting();
    const { limit } = virtual({ law });
    await limit.execute(() => Promise.reject(new Error('not found'))).catch(() => undefined);
    limit.tryAcquire()?.[Symbol.dispose]();
    const gone = caller();
    const work = pending();
    const call = limit.execute(() => work.promise, { signal: gone.signal });
    gone.abort('gone');
    await expect(call).rejects.toBe('gone');
    expect(limit.active).toBe(1);
    work.resolve(1);
    await settle();
    expect([samples, limit.active]).toEqual([[], 0]);
    limit.tryAcquire()?.settle('failure');
    expect(samples).toHaveLength(1);
  });

  test('a caller whose time ran out is a sign of overload, not one that went away', async () => {
    const { law, samples } = noting();
    const { limit } = virtual({ law });
    const gone = caller();
    const late = Object.assign(new Error('late'), { name: 'TimeoutError' });
    const call = limit.execute(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(late);
          });
        }),
      { signal: gone.signal },
    );
    gone.abort(late);
    await expect(call).rejects.toBe(late);
    await settle();
    expect(samples).toMatchObject([{ dropped: true }]);
  });

  test.each<[unknown, boolean]>([
    [{ code: 'ERR_TIMEOUT' }, true],
    [{ code: 'ERR_RATE_LIMITED' }, true],
    [{ status: 503 }, true],
    [{ status: 429 }, true],
    [{ status: 500 }, false],
    [{ name: 'TimeoutError' }, true],
    [new Error('boom'), false],
    ['timeout', false],
    [null, false],
  ])('overload: %j %s', (error, expected) => {
    expect(isOverload(error)).toBe(expected);
  });

  test('asks isDrop, and helps itself where that throws', async () => {
    const { law, samples } = noting();
    const isDrop = (error: unknown): boolean => {
      if (error === 'broken') throw new Error('a mistake in isDrop');
      return error === 'drop';
    };
    const { limit } = virtual({ law, isDrop });
    for (const error of ['drop', 'broken', 'other'])
      await limit.execute(() => Promise.reject(error as unknown as Error)).catch(() => undefined);
    expect(samples).toHaveLength(1);
    expect(limit.active).toBe(0);
  });

  test('keeps the limit within its bounds, whatever the law answers', () => {
    const answers = [0, -5, NaN, Infinity, 3.7];
    const { limit } = virtual({
      law: noting(() => answers.shift()!).law,
      initialLimit: 5,
      minLimit: 2,
      maxLimit: 9,
    });
    const seen = [];
    while (answers.length > 0) {
      limit.tryAcquire()?.settle('success');
      seen.push(limit.limit);
    }
    expect(seen).toEqual([2, 2, 2, 9, 3]);
  });

  test('a law that throws changes neither the call, nor the limit, nor the slots', async () => {
    const broken = (): never => {
      throw new Error('a mistake in the law');
    };
    const { limit } = virtual({ law: () => ({ next: broken }) });
    await expect(limit.execute(() => 'ok')).resolves.toBe('ok');
    expect([limit.active, limit.limit]).toEqual([0, 20]);
  });

  test('a limit that grows lets those who wait on at once', async () => {
    const { limit } = virtual({ law: noting(() => 3).law, initialLimit: 1, maxQueue: 5 });
    const works = Array.from({ length: 5 }, () => pending());
    const calls = works.map(({ promise }) => limit.execute(() => promise));
    expect([limit.active, limit.queued, limit.available]).toEqual([1, 4, false]);
    works[0]!.resolve(1);
    await settle();
    expect([limit.active, limit.queued, limit.limit]).toEqual([3, 1, 3]);
    for (const work of works) work.resolve(1);
    await Promise.all(calls);
    await expect(
      pipeline(limit, {
        layer: () => () => {
          throw new Error('broken');
        },
      }).execute(() => 1),
    ).rejects.toThrow('broken');
    expect(limit.active).toBe(0);
  });

  test('refuses beyond the queue, by name', async () => {
    const { limit } = virtual({ initialLimit: 1, name: 'users' });
    const held = limit.tryAcquire();
    await expect(limit.execute(() => 1)).rejects.toMatchObject({
      code: 'ERR_BULKHEAD_FULL',
      bulkhead: 'users',
    });
    held?.settle('success');
    await expect(limit.execute(() => 1)).resolves.toBe(1);
  });

  test.each<[string, object, string]>([
    ['minLimit', { minLimit: 0 }, 'an integer >= 1, got 0'],
    ['maxLimit', { minLimit: 5, maxLimit: 4 }, 'an integer >= 5, got 4'],
    ['initialLimit', { minLimit: 5, initialLimit: 4 }, 'an integer >= 5, got 4'],
    ['initialLimit', { maxLimit: 5, initialLimit: 6 }, 'an integer <= 5, got 6'],
    ['maxQueue', { maxQueue: -1 }, 'an integer >= 0, got -1'],
    ['maxWaitMs', { maxWaitMs: NaN }, 'a number >= 0, got NaN'],
  ])('refuses %s of %j', (option, options, expected) => {
    expect(() => adaptiveConcurrency(options)).toThrow(
      new RangeError(`adaptiveConcurrency: ${option} must be ${expected}`),
    );
  });

  test.each<[() => unknown, string]>([
    [() => aimd({ backoffRatio: 1 }), 'aimd: backoffRatio must be a number from 0.1 to 0.99, got 1'],
    [() => aimd({ slowAfterMs: 0 }), 'aimd: slowAfterMs must be a number > 0, got 0'],
    [() => gradient({ windowMs: 0 }), 'gradient: windowMs must be a number > 0, got 0'],
    [() => gradient({ minSamples: 0 }), 'gradient: minSamples must be an integer >= 1, got 0'],
    [() => gradient({ quantile: 1 }), 'gradient: quantile must be a number from 0.1 to 0.99, got 1'],
    [() => gradient({ baselineWindows: 0 }), 'gradient: baselineWindows must be an integer >= 1, got 0'],
  ])('refuses options of a law: %#', (make, message) => {
    expect(make).toThrow(new RangeError(message));
  });

  test('one law serves two limits without mixing them', () => {
    const law = aimd();
    const [one, two] = [virtual({ law, initialLimit: 10 }).limit, virtual({ law, initialLimit: 10 }).limit];
    one.tryAcquire()?.settle('failure');
    two.tryAcquire()?.settle('failure');
    expect([one.limit, two.limit]).toEqual([9, 9]);
  });
});

describe('AIMD', () => {
  test('any course of samples goes as the plain rule says', () => {
    const samples = fc.array(
      fc.record({
        rttMs: fc.integer({ min: 0, max: 200 }),
        inFlight: fc.integer({ min: 1, max: 40 }),
        dropped: fc.boolean(),
        pass: fc.integer({ min: 0, max: 50 }),
      }),
    );
    fc.assert(
      fc.property(samples, (course) => {
        const finder = aimd({ backoffRatio: 0.5, slowAfterMs: 100 })();
        const shrinks: number[] = [];
        let [limit, now] = [20, 1000];
        for (const { rttMs, inFlight, dropped, pass } of course) {
          now += pass;
          const next = finder.next({ rttMs, inFlight, dropped, startedAt: now - rttMs, now, limit });
          const overload = dropped || rttMs > 100;
          const paid = shrinks.some((at) => now - rttMs < at);
          if (overload && !paid) shrinks.push(now);
          expect(next).toBe(
            overload ? (paid ? limit : limit / 2) : inFlight >= limit / 2 ? limit + 1 / limit : limit,
          );
          limit = next;
        }
      }),
    );
  });

  test('one overload shrinks the limit once, however many calls it hit', () => {
    const { limit, time } = virtual({ law: aimd(), initialLimit: 100 });
    const permits = Array.from({ length: 100 }, () => limit.tryAcquire());
    time.stall(50);
    for (const permit of permits) permit?.settle('failure');
    expect(limit.limit).toBe(90);
  });
});

interface Scene extends Partial<ServerOptions> {
  readonly calls?: number;
  readonly initialLimit?: number;
  readonly seed?: number;
  /** What becomes of the server after 100 s. */
  readonly then?: Partial<ServerOptions>;
}

/** A server of 20 workers and 100 ms, so of 200 calls a second, under twice that demand: 100 s to settle, then what is seen. */
function simulate(
  law: LimitLaw,
  { seed = 1, calls = 400, initialLimit = 20, then, ...server }: Scene,
): Course {
  const { limit, time } = virtual({ law, initialLimit });
  const simulation = new SimulatedServer(
    { workers: 20, serviceMs: 100, ...server },
    limit,
    time,
    seeded(seed),
  );
  simulation.run(100, calls);
  if (then !== undefined) {
    Object.assign(simulation.options, then);
    simulation.run(60, calls);
  }
  return simulation.run(100, calls);
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('in a simulation', () => {
  test.each<[string, LimitLaw, Scene]>([
    ['gradient, twice the demand', gradient(), {}],
    ['gradient, twice the demand, other luck', gradient(), { seed: 2 }],
    ['gradient, five times the demand', gradient(), { calls: 1000 }],
    [
      'gradient, a little too much demand: the limit does not creep up (concurrency-limits #134)',
      gradient(),
      { calls: 220 },
    ],
    [
      'gradient, from far too high: an overload that lasts does not become the usual (concurrency-limits #88)',
      gradient(),
      { initialLimit: 200 },
    ],
    ['gradient, callers that give up', gradient(), { timeoutMs: 300 }],
    ['gradient, a server that thrashes', gradient(), { thrash: 0.3 }],
    ['gradient, when half of the server had been lost', gradient(), { workers: 10, then: { workers: 20 } }],
    ['gradient, when half of the server is lost', gradient(), { workers: 40, then: { workers: 20 } }],
    ['gradient, when it has become slower', gradient(), { serviceMs: 50, then: { serviceMs: 100 } }],
    ['gradient, when it has become faster', gradient(), { serviceMs: 200, then: { serviceMs: 100 } }],
    ['AIMD, callers that give up', aimd(), { timeoutMs: 300 }],
    ['AIMD, by slow calls', aimd({ slowAfterMs: 300 }), {}],
  ])('%s: the capacity is found and held', (_, law, scene) => {
    const { limits, throughputs } = simulate(law, scene);
    expect(mean(limits)).toBeGreaterThan(17);
    expect(mean(limits)).toBeLessThan(35);
    expect(Math.max(...limits)).toBeLessThan(50);
    expect(mean(throughputs)).toBeGreaterThan(175);
  });

  test('a limit that is not used does not grow', () => {
    const { limits } = simulate(gradient(), { calls: 40 });
    expect(Math.max(...limits)).toBeLessThan(25);
  });
});

describe('gradient', () => {
  /** Windows of 60 calls in a second at a limit of 20, all in use. */
  function feed(
    finder: LimitFinder,
    limit: number,
    windows: number,
    rttOf: (window: number, call: number) => Partial<LimitSample>,
  ): number {
    let found = limit;
    for (let window = 0; window < windows; window++) {
      for (let call = 0; call < 60; call++) {
        const now = window * 1000 + call * 17;
        found = finder.next({
          rttMs: 100,
          inFlight: found,
          dropped: false,
          startedAt: now - 100,
          now,
          limit: found,
          ...rttOf(window, call),
        });
      }
    }
    return found;
  }

  test('one lucky fast call does not make all others look slow (concurrency-limits #37, #165)', () => {
    const usual = feed(gradient()(), 20, 10, () => ({}));
    const lucky = feed(gradient()(), 20, 10, (window, call) =>
      window === 2 && call === 7 ? { rttMs: 0.01 } : {},
    );
    expect(usual).toBeGreaterThan(20);
    expect(lucky).toBe(usual);
  });

  test('nor does one slow window (a collector, a deploy) change anything', () => {
    const slow = feed(gradient()(), 20, 9, (window) => (window === 4 ? { rttMs: 1000 } : {}));
    expect(slow).toBe(feed(gradient()(), 20, 9, () => ({})));
  });

  test('calls that have become slow shrink it within seconds', () => {
    const before = feed(gradient()(), 20, 5, () => ({}));
    const after = feed(gradient()(), 20, 9, (window) => (window < 4 ? {} : { rttMs: 400 }));
    expect(after).toBeLessThan(before);
  });

  test('the time of dropped calls does not count as latency', () => {
    const few = feed(gradient()(), 20, 10, (_, call) =>
      call % 12 === 0 ? { rttMs: 30_000, dropped: true } : {},
    );
    expect(few).toBe(feed(gradient()(), 20, 10, () => ({})));
  });

  test('when all are dropped it shrinks, though there is no latency at all', () => {
    expect(feed(gradient()(), 20, 5, () => ({ dropped: true }))).toBeLessThan(15);
  });

  test('few calls still end a window, at the longest', () => {
    const finder = gradient({ maxWindowMs: 5000 })();
    let limit = 20;
    for (let now = 0; now < 60_000; now += 1000)
      limit = finder.next({ rttMs: 10, inFlight: 20, dropped: false, startedAt: now - 10, now, limit });
    expect(limit).toBeGreaterThan(20);
  });

  test('calls without any latency leave it as it is', () => {
    expect(feed(gradient()(), 20, 30, () => ({ rttMs: 0 }))).toBe(20);
  });
});
