import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { aggregate } from './aggregate.ts';
import { part } from './part.ts';
import { Upstream } from './upstream.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const after = <T>(ms: number, value: T): Promise<T> =>
  new Promise((resolve) => setTimeout(resolve, ms, value));
const failsAfter = (ms: number, error: Error): Promise<never> =>
  new Promise((_resolve, reject) => setTimeout(reject, ms, error));
/** Ends only when it is told to, as a call does. */
const until = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
const trouble = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** Runs time on until the promise has settled, and gives what became of it. */
async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown; ms: number }> {
  const startedAt = performance.now();
  let result: { value?: T; error?: unknown; ms: number } | undefined;
  promise.then(
    (value) => (result = { value, ms: performance.now() - startedAt }),
    (error: unknown) => (result = { error, ms: performance.now() - startedAt }),
  );
  for (let turn = 0; turn < 2_000 && result === undefined; turn++) await jest.advanceTimersByTimeAsync(10);
  await jest.advanceTimersByTimeAsync(100_000);
  return result ?? { ms: NaN };
}

test('asks all parts at once and puts the answers together, with types', async () => {
  const users = part(() => after(300, [{ id: 1 }]));
  const orders = part(() => after(200, 7));
  const { value, ms } = await settled(aggregate({ users, orders }));
  const ids: number[] | undefined = value?.data.users.map(({ id }) => id);
  const count: number | undefined = value?.data.orders;
  expect([ids, count, ms]).toEqual([[1], 7, 300]);
  expect(value?.meta).toEqual({
    degraded: false,
    parts: { users: { degraded: false, ms: 300 }, orders: { degraded: false, ms: 200 } },
  });
});

test('a part waits for another that it uses; one that two use is asked once', async () => {
  const load = jest.fn(() => after(100, 'jane'));
  const user = part(load);
  const hello = part(async ({ use }) => `hello ${await use(user)}`);
  const bye = part(async ({ use }) => `bye ${await use(user)}`);
  const { value, ms } = await settled(aggregate({ hello, bye, user, again: user }));
  expect(value?.data).toEqual({ hello: 'hello jane', bye: 'bye jane', user: 'jane', again: 'jane' });
  expect([ms, load.mock.calls.length]).toEqual([100, 1]);
});

test('a part uses the fallback of another', async () => {
  const user = part(() => failsAfter(10, trouble), { fallback: () => 'nobody' });
  const hello = part(async ({ use }) => `hello ${await use(user)}`);
  expect((await settled(aggregate({ user, hello }))).value?.data.hello).toBe('hello nobody');
});

test('a failure is marked with its stable code, and the fallback is told', async () => {
  const told: string[] = [];
  const broken = part<string>(() => failsAfter(30, trouble), {
    fallback: (reason) => (told.push(reason), 'none'),
  });
  const { value } = await settled(aggregate({ broken, well: part(() => 1) }));
  expect(value).toEqual({
    data: { broken: 'none', well: 1 },
    meta: {
      degraded: true,
      parts: { broken: { degraded: true, reason: 'ERR_UPSTREAM', ms: 30 }, well: { degraded: false, ms: 0 } },
    },
  });
  expect(told).toEqual(['ERR_UPSTREAM']);
});

describe('deadlines', () => {
  test('each part has its own, and the whole has one', async () => {
    const signals: AbortSignal[] = [];
    const hanging = (timeoutMs?: number) =>
      part<string>(({ signal }) => (signals.push(signal), until(signal)), {
        fallback: (reason) => reason,
        ...(timeoutMs !== undefined && { timeoutMs }),
      });
    const { value, ms } = await settled(
      aggregate({ short: hanging(50), long: hanging(9_999) }, { timeoutMs: 200 }),
    );
    expect([value?.data, Math.round(ms)]).toEqual([{ short: 'ERR_TIMEOUT', long: 'ERR_TIMEOUT' }, 200]);
    expect(value?.meta.parts.short).toEqual({ degraded: true, reason: 'ERR_TIMEOUT', ms: 50 });
    expect(signals.map(({ reason }) => (reason as Error).name)).toEqual(['TimeoutError', 'TimeoutError']);
  });

  test('hold for a part that does not listen', async () => {
    const deaf = part(() => new Promise<string>(() => undefined), { fallback: () => 'late' });
    expect((await settled(aggregate({ deaf }, { timeoutMs: 70 }))).value?.data.deaf).toBe('late');
  });

  test('of a required part end the whole', async () => {
    const needed = part(({ signal }) => until(signal));
    expect((await settled(aggregate({ needed }, { timeoutMs: 70 }))).error).toMatchObject({
      name: 'TimeoutError',
    });
  });

  test('a part that reads through an Upstream gives its last good answer at the deadline, and its circuit counts a failure', async () => {
    const upstream = new Upstream({ service: 'users' });
    await upstream.read('all', () => Promise.resolve({ data: ['jane'], instance: 'a' }), []);
    const users = part(({ signal }) => upstream.read('all', () => until(signal), [] as string[]));
    const { value } = await settled(aggregate({ users }, { timeoutMs: 70 }));
    expect(value?.data.users).toMatchObject({ data: ['jane'], source: 'stale-cache', reason: 'ERR_TIMEOUT' });
    expect(value?.meta).toEqual({
      degraded: true,
      parts: { users: { degraded: true, reason: 'ERR_TIMEOUT', ms: 70 } },
    });
    expect(upstream.circuit.getSnapshot().totals).toMatchObject({ failure: 1, ignored: 0 });
  });
});

describe('the end of the whole', () => {
  test('a required part that fails cancels the rest, which blames nobody', async () => {
    const upstream = new Upstream({ service: 'users' });
    const fallback = jest.fn(() => 'never');
    let seen: AbortSignal | undefined;
    const parts = {
      needed: part(() => failsAfter(20, trouble)),
      other: part(({ signal }) => upstream.read('all', () => until((seen = signal)), '')),
      optional: part<string>(({ signal }) => until(signal), { fallback }),
    };
    const { error, ms } = await settled(aggregate(parts));
    expect([error, ms]).toEqual([trouble, 20]);
    expect(seen?.reason).toMatchObject({ name: 'AbortError' });
    expect(upstream.circuit.getSnapshot()).toMatchObject({ failureCount: 0, totals: { ignored: 1 } });
    expect(fallback).not.toHaveBeenCalled();
  });

  test("the caller leaves: every part is cancelled, and the reason is the caller's", async () => {
    const controller = new AbortController();
    const signals: AbortSignal[] = [];
    const hanging = () =>
      part<string>(({ signal }) => (signals.push(signal), new Promise(() => undefined)), {
        fallback: () => '',
      });
    const promise = aggregate({ a: hanging(), b: hanging() }, { signal: controller.signal });
    setTimeout(() => {
      controller.abort(trouble);
    }, 30);
    const { error, ms } = await settled(promise);
    expect([error, ms, signals.map(({ aborted }) => aborted)]).toEqual([trouble, 30, [true, true]]);
  });

  test('a caller that has left already asks nobody', async () => {
    const load = jest.fn(() => 1);
    const { error } = await settled(aggregate({ a: part(load) }, { signal: AbortSignal.abort(trouble) }));
    expect([error, load.mock.calls.length]).toEqual([trouble, 0]);
  });

  test('a part that throws at once fails like any other', async () => {
    const thrower = part((): string => {
      throw trouble;
    });
    expect((await settled(aggregate({ thrower }))).error).toBe(trouble);
  });
});

test('what makes no sense is refused', async () => {
  expect(() => part(() => 1, { timeoutMs: 0 })).toThrow(RangeError);
  const stranger = part(() => 1);
  const wrong = [
    aggregate({}, { timeoutMs: NaN }),
    aggregate({}, { timeoutMs: 2 ** 31 }),
    aggregate(Object.fromEntries(Array.from({ length: 33 }, (_, at) => [at, part(() => 1)]))),
    aggregate({ one: part(({ use }) => use(stranger)) }),
  ];
  for (const promise of wrong) expect((await settled(promise)).error).toBeInstanceOf(RangeError);
  expect((await settled(aggregate({}))).value).toEqual({ data: {}, meta: { degraded: false, parts: {} } });
});

/** A turn of the event loop is a millisecond in Jest's time. */
const roughly = (ms: number): number => Math.floor(ms / 5) * 5;

test('the outcome is that of a naive timetable', async () => {
  const plan = fc.record({
    ms: fc.integer({ min: 0, max: 30 }).map((tens) => tens * 10 + 5),
    fails: fc.boolean(),
    isOptional: fc.boolean(),
    timeoutMs: fc.option(
      fc.integer({ min: 1, max: 30 }).map((tens) => tens * 10),
      { nil: undefined },
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(plan, { maxLength: 5 }),
      fc.integer({ min: 1, max: 30 }).map((tens) => tens * 10),
      async (plans, timeoutMs) => {
        const parts = Object.fromEntries(
          plans.map(({ ms, fails, isOptional, timeoutMs: own }, at) => [
            `p${at}`,
            part<string>(() => (fails ? failsAfter(ms, trouble) : after(ms, 'live')), {
              ...(isOptional && { fallback: (reason: string) => reason }),
              ...(own !== undefined && { timeoutMs: own }),
            }),
          ]),
        );
        const ends = plans.map(({ ms, fails, isOptional, timeoutMs: own = Infinity }) => {
          const limit = Math.min(own, timeoutMs);
          const reason = ms > limit ? 'ERR_TIMEOUT' : fails ? 'ERR_UPSTREAM' : undefined;
          return { at: Math.min(ms, limit), reason, isFatal: reason !== undefined && !isOptional };
        });
        const firstFatal = Math.min(...ends.map(({ at, isFatal }) => (isFatal ? at : Infinity)));
        const { value, error, ms } = await settled(aggregate(parts, { timeoutMs }));
        if (firstFatal < Infinity) {
          expect(error).toBeDefined();
          expect(roughly(ms)).toBe(firstFatal);
        } else {
          const metas = Object.values(value?.meta.parts ?? {}).map((meta) => ({
            ...meta,
            ms: roughly(meta.ms),
          }));
          expect(metas).toEqual(
            ends.map(({ at, reason }) => ({
              degraded: reason !== undefined,
              ...(reason !== undefined && { reason }),
              ms: at,
            })),
          );
          expect(Object.values(value?.data ?? {})).toEqual(ends.map(({ reason }) => reason ?? 'live'));
        }
      },
    ),
    { numRuns: 150 },
  );
});
