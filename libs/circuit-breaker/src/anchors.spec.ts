import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { circuitBreaker } from './circuit-breaker.ts';
import { boom, deferred, fail, hang, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { newController } from './testing/signals.ts';
import { cockatiel, cockatielLibrary, opossum, ours, stopOpossums } from './testing/subjects.ts';
import type { Maker, Subject, Wish } from './testing/subjects.ts';
import type { MethodDecorator } from './wrap.ts';

trapRejections();

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
});

afterEach(() => {
  stopOpossums();
  jest.useRealTimers();
});

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

/** How a call stands by now. */
async function standing(call: Promise<unknown>): Promise<string> {
  let word = 'pending';
  call.then(
    () => (word = 'resolved'),
    () => (word = 'rejected'),
  );
  await pass(0);
  return word;
}

async function failing(subject: Subject, times: number): Promise<void> {
  for (let time = 0; time < times; time++) await standing(subject.call(fail));
}

/** One scenario, what it shows of us, and what it shows of those that have the bug. */
interface Bug {
  readonly name: string;
  readonly wish: Wish;
  readonly run: (subject: Subject) => Promise<unknown>;
  readonly right: unknown;
  readonly wrong: Partial<Record<'opossum' | 'cockatiel', unknown>>;
}

const bugs: readonly Bug[] = [
  {
    name: 'B2: a synchronous undefined is no failure',
    wish: { calls: 1 },
    run: async (subject) => [await standing(subject.call(() => undefined)), subject.state],
    right: ['resolved', 'closed'],
    wrong: { opossum: ['rejected', 'open'] },
  },
  {
    name: 'B3, B18: a listener that throws hurts no call',
    wish: { calls: 1 },
    run: async (subject) => {
      subject.onSuccess(() => {
        throw boom;
      });
      return [await standing(subject.call(succeed)), subject.state];
    },
    right: ['resolved', 'closed'],
    wrong: { opossum: ['rejected', 'open'], cockatiel: ['rejected', 'open'] },
  },
  {
    name: 'B4: the options that were passed are not written to',
    wish: { calls: 1 },
    run: (subject) => Promise.resolve(subject.keepsOptions),
    right: true,
    wrong: { opossum: false },
  },
  {
    name: 'B5: a late success from before the outage does not close the circuit, to which no trial was sent',
    wish: { calls: 2 },
    run: async (subject) => {
      const work = deferred();
      const old = subject.call(() => work.promise);
      await failing(subject, 2);
      await pass(100);
      work.resolve('late');
      await standing(old);
      return subject.state;
    },
    right: 'half-open',
    wrong: { opossum: 'closed' },
  },
  {
    name: 'B9: calls under way are in no failure rate',
    wish: { calls: 15, ratio: 0.5 },
    run: async (subject) => {
      for (let call = 0; call < 20; call++) void subject.call(hang);
      await failing(subject, 15);
      return subject.state;
    },
    right: 'open',
    wrong: { opossum: 'closed' },
  },
  {
    name: 'B11: one failure, an hour after the window has passed, opens nothing',
    wish: { calls: 10, ratio: 0.33, windowMs: 10_000 },
    run: async (subject) => {
      for (let call = 0; call < 28; call++) {
        await standing(subject.call(call < 19 ? succeed : fail));
        await pass(100);
      }
      await pass(3_600_000);
      await failing(subject, 1);
      return subject.state;
    },
    right: 'closed',
    wrong: { cockatiel: 'open' },
  },
  {
    name: 'B12: a late failure from before the outage does not open the recovered circuit',
    wish: { calls: 1 },
    run: async (subject) => {
      const work = deferred();
      const old = subject.call(() => work.promise);
      await failing(subject, 1);
      await pass(100);
      const trial = await standing(subject.call(succeed));
      work.reject(boom);
      await standing(old);
      return [trial, subject.state];
    },
    right: ['resolved', 'closed'],
    wrong: { cockatiel: ['resolved', 'open'], opossum: ['resolved', 'open'] },
  },
  {
    name: 'B13: late failures from before the outage are in no new window',
    wish: { calls: 6 },
    run: async (subject) => {
      const work = deferred();
      const old = Array.from({ length: 5 }, () => subject.call(() => work.promise));
      await failing(subject, 6);
      await pass(100);
      await standing(subject.call(succeed));
      work.reject(boom);
      await Promise.all(old.map(standing));
      await failing(subject, 1);
      return subject.state;
    },
    right: 'closed',
    wrong: { cockatiel: 'open' },
  },
  {
    name: 'B15: nobody waits for the verdict of a trial unasked',
    wish: { calls: 1 },
    run: async (subject) => {
      await failing(subject, 1);
      await pass(100);
      void subject.call(hang);
      const others = Array.from({ length: 20 }, () => standing(subject.call(succeed)));
      return [...new Set(await Promise.all(others))];
    },
    right: ['rejected'],
    wrong: { cockatiel: ['pending'] },
  },
  {
    name: 'B15: after a good trial no herd is let loose',
    wish: { calls: 1 },
    run: async (subject) => {
      await failing(subject, 1);
      await pass(100);
      const work = deferred();
      const trial = subject.call(() => work.promise);
      let ran = 0;
      const others = Array.from({ length: 1_000 }, () => standing(subject.call(() => ++ran)));
      await Promise.all(others);
      work.resolve('ok');
      await standing(trial);
      return ran;
    },
    right: 0,
    wrong: { cockatiel: 1_000 },
  },
  {
    name: 'goal 11: a trial that hangs does not hold the circuit for ever',
    wish: { calls: 1 },
    run: async (subject) => {
      await failing(subject, 1);
      await pass(100);
      void subject.call(hang);
      await pass(3_600_000);
      return standing(subject.call(succeed));
    },
    right: 'resolved',
    wrong: { opossum: 'rejected', cockatiel: 'pending' },
  },
  {
    name: 'B17: an abort by the caller is no failure',
    wish: { calls: 1 },
    run: async (subject) => {
      const controller = newController();
      const work = deferred();
      const call = subject.call(() => work.promise, controller.signal);
      controller.abort(new Error('gone'));
      work.reject(new Error('aborted'));
      await standing(call);
      return subject.state;
    },
    right: 'closed',
    wrong: { cockatiel: 'open' },
  },
  {
    name: 'B20: a refusal tells the cause and the time to wait',
    wish: { calls: 1 },
    run: async (subject) => {
      await failing(subject, 1);
      const error: unknown = await subject.call(succeed).catch((thrown: unknown) => thrown);
      const { cause, retryAfterMs } = error as { cause?: unknown; retryAfterMs?: number };
      return [cause, retryAfterMs];
    },
    right: [boom, 100],
    wrong: { opossum: [undefined, undefined], cockatiel: [undefined, undefined] },
  },
  {
    name: 'goal 13: a wall clock that is set back lengthens no break',
    wish: { calls: 1 },
    run: async (subject) => {
      await failing(subject, 1);
      jest.setSystemTime(Date.now() - 3_600_000);
      await pass(100);
      return standing(subject.call(succeed));
    },
    right: 'resolved',
    wrong: { cockatiel: 'rejected' },
  },
];

const anchors: Record<keyof Bug['wrong'], Maker> = { opossum, cockatiel };

describe.each(bugs)('$name', ({ wish, run, right, wrong }) => {
  test('holds here', async () => {
    expect(await run(ours(wish))).toEqual(right);
  });

  test.each(Object.entries(wrong))('fails on %s', async (anchor, seen) => {
    expect(await run(anchors[anchor as 'opossum' | 'cockatiel'](wish))).toEqual(seen);
  });
});

describe('B10: a breaker at rest has no timer', () => {
  test.each([
    ['ours', ours, 0],
    ['cockatiel', cockatiel, 0],
    ['opossum', opossum, 2],
  ])('%s', (_, make, timers) => {
    make({ calls: 1 });
    expect(jest.getTimerCount()).toBe(timers);
  });
});

describe('B20: options that cannot be meant', () => {
  test('are refused here', () => {
    expect(() => circuitBreaker({ resetTimeoutInMilliseconds: NaN })).toThrow(RangeError);
    expect(() => circuitBreaker({ maximumFailuresAllowed: 0 })).toThrow(RangeError);
  });

  test('are taken by cockatiel', () => {
    expect(() => cockatiel({ calls: 0, breakMs: NaN })).not.toThrow();
  });

  test('are taken by opossum', () => {
    expect(() => opossum({ calls: NaN, breakMs: NaN })).not.toThrow();
  });
});

describe('B19: a standard decorator', () => {
  const decorated = (decorator: MethodDecorator<never>): (() => Promise<string>) => {
    class Users {
      @decorator
      async find(): Promise<string> {
        return Promise.resolve('ada');
      }
    }
    return () => new Users().find();
  };

  test('works here', async () => {
    await expect(decorated(circuitBreaker().protect())()).resolves.toBe('ada');
  });

  test('throws a TypeError in cockatiel', () => {
    const { handleAll, ConsecutiveBreaker } = cockatielLibrary;
    const policy = cockatielLibrary.circuitBreaker(handleAll, {
      breaker: new ConsecutiveBreaker(1),
      halfOpenAfter: 100,
    });
    const decorator = cockatielLibrary.usePolicy(policy) as unknown as MethodDecorator<never>;
    expect(() => decorated(decorator)).toThrow(TypeError);
  });
});

describe('goal 13: a loop of microtasks that never ends its turn', () => {
  /** Calls for a time without a break for timers. @returns how many got through. */
  async function busily(subject: Subject, forMs: number): Promise<number> {
    jest.useRealTimers();
    await subject.call(fail).catch(() => undefined);
    let passed = 0;
    for (const until = Date.now() + forMs; passed === 0 && Date.now() < until;) {
      await subject.call(() => ++passed).catch(() => undefined);
    }
    return passed;
  }

  test('sends a trial here', async () => {
    expect(await busily(ours({ calls: 1, breakMs: 30 }), 10_000)).toBe(1);
  });

  test('sends none in opossum, whose timer does not fire', async () => {
    expect(await busily(opossum({ calls: 1, breakMs: 30 }), 150)).toBe(0);
  });
});
