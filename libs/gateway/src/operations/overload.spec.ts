import { describe, expect, test } from '@jest/globals';
import { HttpProblem } from '@mesh/problem';
import { settle, VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import type { Passage } from '../passage.ts';
import { priorities, type Priority } from './admission.ts';
import { LoopDelay, type DelaySource } from './loop-delay.ts';
import { Overload, type OverloadOptions } from './overload.ts';

/** A passage that is over when the test says so. */
class Exchange {
  answer: unknown = 'waiting';
  readonly #listeners: (() => void)[] = [];
  readonly #client: string;

  constructor(client = '10.0.0.1') {
    this.#client = client;
  }

  enter(overload: Overload, priority: Priority): this {
    const passage = {
      clientAddress: this.#client,
      onEnd: (listener: () => void) => this.#listeners.push(listener),
    } as unknown as Passage;
    const answer = overload.stage(priority)(passage);
    if (answer instanceof Promise) void answer.then((late) => (this.answer = late));
    else this.answer = answer;
    return this;
  }

  get isInside(): boolean {
    return this.answer === undefined;
  }

  end(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

function virtual(options: OverloadOptions = {}): { overload: Overload; time: VirtualTime } {
  const time = new VirtualTime();
  return { overload: new Overload({ ...options, clock: time, timers: time }), time };
}

test('lets in at once while there is room, and sheds what is too much with a time to come back', () => {
  const { overload } = virtual({ maxInFlight: 2, maxQueue: 0, retryAfterMs: 2500 });
  const [one, two, three] = [new Exchange(), new Exchange(), new Exchange()];
  one.enter(overload, 'critical');
  two.enter(overload, 'critical');
  expect([one.answer, two.answer]).toEqual([undefined, undefined]);
  three.enter(overload, 'critical');
  expect(three.answer).toBeInstanceOf(HttpProblem);
  expect(three.answer).toMatchObject({ code: 'ERR_OVERLOADED', status: 503, retryAfterMs: 2500 });
  one.end();
  one.end();
  expect(overload.getSnapshot()).toMatchObject({
    inFlight: 1,
    queued: 0,
    admitted: 2,
    shed: { critical: 1 },
  });
});

test('a share is reserved for those who matter more', () => {
  const { overload } = virtual({ maxInFlight: 10, maxQueue: 0, shares: { normal: 0.8, low: 0.5 } });
  const enter = (priority: Priority, count: number): number =>
    Array.from({ length: count }, () => new Exchange().enter(overload, priority)).filter(
      ({ isInside }) => isInside,
    ).length;
  expect([enter('low', 9), enter('normal', 9), enter('critical', 9)]).toEqual([5, 3, 2]);
});

test('the full queue makes room for one that matters more, by the oldest of the least', async () => {
  const { overload } = virtual({ maxInFlight: 1, maxQueue: 2 });
  const held = new Exchange().enter(overload, 'critical');
  const [older, newer] = [new Exchange().enter(overload, 'low'), new Exchange().enter(overload, 'low')];
  const normal = new Exchange().enter(overload, 'normal');
  const refused = new Exchange().enter(overload, 'low');
  await settle();
  expect([older.answer, newer.answer, normal.answer, refused.answer]).toMatchObject([
    { code: 'ERR_OVERLOADED' },
    'waiting',
    'waiting',
    { code: 'ERR_OVERLOADED' },
  ]);
  held.end();
  await settle();
  expect([normal.isInside, newer.isInside]).toEqual([true, false]);
});

test('who waits too long is shed, by one timer for all, and none stays', async () => {
  const { overload, time } = virtual({ maxInFlight: 1, maxWaitMs: 100 });
  const held = new Exchange().enter(overload, 'normal');
  const first = new Exchange().enter(overload, 'low');
  await time.advance(60);
  const second = new Exchange().enter(overload, 'critical');
  expect(time.pending).toBe(1);
  await time.advance(40);
  expect([first.answer, second.answer]).toMatchObject([{ code: 'ERR_OVERLOADED' }, 'waiting']);
  held.end();
  await settle();
  expect([second.isInside, time.pending]).toEqual([true, 0]);
});

test('a client that leaves while it waits gives its place free and goes no further', async () => {
  const { overload, time } = virtual({ maxInFlight: 1, maxQueue: 1 });
  const held = new Exchange().enter(overload, 'normal');
  const gone = new Exchange().enter(overload, 'normal');
  gone.end();
  const next = new Exchange().enter(overload, 'normal');
  held.end();
  await settle();
  expect(gone.answer).toBeInstanceOf(HttpProblem);
  expect([next.isInside, time.pending]).toEqual([true, 0]);
  expect(overload.getSnapshot().shed).toEqual({ critical: 0, normal: 0, low: 0 });
});

test('one client takes no more than its part, and is told that it is its own', () => {
  const { overload } = virtual({ maxInFlight: 10, maxPerClient: 2 });
  const mine = [1, 2, 3].map(() => new Exchange('10.0.0.1').enter(overload, 'normal'));
  expect(mine[2]?.answer).toMatchObject({ code: 'ERR_RATE_LIMITED', status: 429, retryAfterMs: 1000 });
  expect(new Exchange('10.0.0.2').enter(overload, 'normal').isInside).toBe(true);
  mine[0]?.end();
  expect(new Exchange('10.0.0.1').enter(overload, 'normal').isInside).toBe(true);
  expect(overload.getSnapshot().refusedClients).toBe(1);
});

test('a slow process sheds low, a very slow one normal too, and never what is critical', () => {
  let mean = NaN;
  const source: DelaySource = {
    get mean() {
      return mean;
    },
    reset: () => (mean = NaN),
    disable: () => undefined,
  };
  const time = new VirtualTime();
  const delay = new LoopDelay({ source, clock: time, maxDelayMs: 100, sampleMs: 500 });
  const { overload } = virtual({ pressure: delay.pressure });
  const inside = (): boolean[] => priorities.map((name) => new Exchange().enter(overload, name).isInside);
  const measured: boolean[][] = [];
  for (const delayMs of [NaN, 20, 120, 219, 220, 5020]) {
    mean = delayMs * 1e6;
    time.advanceSync(500);
    measured.push(inside());
  }
  expect(measured).toEqual([
    [true, true, true],
    [true, true, true],
    [true, true, false],
    [true, true, false],
    [true, false, false],
    [true, false, false],
  ]);
});

test('the real monitor can be read and stopped', () => {
  const delay = new LoopDelay();
  expect(delay.pressure()).toBe(0);
  delay.close();
});

test.each<[string, OverloadOptions]>([
  ['maxInFlight', { maxInFlight: 0 }],
  ['maxQueue', { maxQueue: 1.5 }],
  ['maxWaitMs', { maxWaitMs: 0 }],
  ['maxPerClient', { maxPerClient: 0 }],
  ['retryAfterMs', { retryAfterMs: -1 }],
  ['shares.critical', { shares: { critical: 1.1 } }],
  ['shares.normal', { shares: { critical: 0.5, normal: 0.6 } }],
  ['shares.low', { shares: { low: NaN } }],
])('refuses a wrong %s by name', (option, options) => {
  expect(() => new Overload(options)).toThrow(RangeError);
  expect(() => new Overload(options)).toThrow(`overload: ${option} must be`);
});

describe('against a naive model', () => {
  interface Modelled {
    readonly id: number;
    readonly priority: number;
    readonly client: string;
    readonly until: number;
  }

  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ act: fc.constant('enter' as const), lane: fc.nat(2), client: fc.nat(2) }),
    },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('end' as const), which: fc.nat(40) }) },
    {
      weight: 1,
      arbitrary: fc.record({ act: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 150 }) }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('press' as const), level: fc.nat(2) }) },
  );

  test('any schedule of arrivals, ends, departures, waits and pressure goes the same way; no slot is lost or freed twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.nat(4),
        fc.constantFrom(2, 4, Infinity),
        fc.array(step, { maxLength: 80 }),
        async (maxInFlight, maxQueue, maxPerClient, schedule) => {
          let level = 0;
          const shares = { critical: 1, normal: 0.7, low: 0.4 };
          const { overload, time } = virtual({
            maxInFlight,
            maxQueue,
            maxPerClient,
            maxWaitMs: 100,
            shares,
            pressure: () => level,
          });
          const limits = [1, 0.7, 0.4].map((share) => Math.max(1, Math.floor(share * maxInFlight)));
          const exchanges: Exchange[] = [];
          const expected: string[] = [];
          let inside: Modelled[] = [];
          let queue: Modelled[] = [];

          const serve = (): void => {
            for (;;) {
              const next = [...queue]
                .sort((a, b) => a.priority - b.priority || a.id - b.id)
                .find(({ priority }) => inside.length < limits[priority]!);
              if (next === undefined) return;
              queue = queue.filter((one) => one !== next);
              inside.push(next);
              expected[next.id] = 'inside';
            }
          };
          const enter = (priority: number, client: string): void => {
            const one = { id: exchanges.length, priority, client, until: time.now() + 100 };
            exchanges.push(new Exchange(client).enter(overload, priorities[priority]!));
            const mine = [...inside, ...queue].filter((other) => other.client === client).length;
            if (mine >= maxPerClient) expected.push('429');
            else if (priority > 0 && level + priority >= 3) expected.push('503');
            else if (inside.length < limits[priority]!) {
              inside.push(one);
              expected.push('inside');
            } else if (queue.length < maxQueue) {
              queue.push(one);
              expected.push('waiting');
            } else {
              const worst = Math.max(-1, ...queue.map((other) => other.priority));
              const victim = queue.find((other) => other.priority === worst);
              if (victim === undefined || worst <= priority) expected.push('503');
              else {
                queue = [...queue.filter((other) => other !== victim), one];
                expected[victim.id] = '503';
                expected.push('waiting');
              }
            }
          };
          const seen = ({ answer }: Exchange): string =>
            answer === undefined
              ? 'inside'
              : answer instanceof HttpProblem
                ? String(answer.status)
                : 'waiting';

          for (const one of schedule) {
            if (one.act === 'enter') enter(one.lane, `10.0.0.${one.client}`);
            else if (one.act === 'press') level = one.level;
            else if (one.act === 'end') {
              exchanges[one.which]?.end();
              if (queue.some(({ id }) => id === one.which)) expected[one.which] = '503';
              queue = queue.filter(({ id }) => id !== one.which);
              inside = inside.filter(({ id }) => id !== one.which);
              serve();
            } else {
              await time.advance(one.ms);
              for (const { id } of queue.filter(({ until }) => until <= time.now())) expected[id] = '503';
              queue = queue.filter(({ until }) => until > time.now());
            }
            await settle();
            expect(exchanges.map(seen)).toEqual(expected);
            expect(overload.getSnapshot()).toMatchObject({ inFlight: inside.length, queued: queue.length });
          }
          for (const exchange of exchanges) exchange.end();
          expect(overload.getSnapshot()).toMatchObject({ inFlight: 0, queued: 0 });
          expect(time.pending).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
