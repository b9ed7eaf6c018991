import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AlertBook, type SavedAlerts } from './alert-book.ts';
import { Courier } from './courier.ts';
import type { Notice } from './notice.ts';
import { Notices } from './notices.ts';
import { alertRule, type AlertRule } from './rule.ts';
import { callbackSink } from './sink.ts';
import { settled, VirtualTime } from './testing/virtual-time.ts';

const rule: AlertRule = alertRule({ name: 'r', judge: () => ({ verdict: 'hold' }) });
const options = { groupWaitMs: 2, groupIntervalMs: 3, repeatMs: 1e9, groupBy: () => 'all' };

/** The disk and the receiver: what outlives a crash. */
class Outside {
  disk: string | undefined;
  /** Notices by id: the receiver takes none twice. */
  readonly heard = new Map<string, Notice>();
  /** Notices that one life has delivered twice. */
  repeated = 0;

  get told(): string[] {
    return [...this.heard.values()].flatMap(({ items }) =>
      items.map(({ kind, alert }) => `${kind} ${alert.target} ${alert.id}`),
    );
  }
}

/** One life of the process. After `crashAt` steps into the outside world nothing of it gets out, half of it without knowing. */
class Life {
  steps = 0;
  readonly delivered = new Set<string>();
  readonly book: AlertBook;
  readonly courier: Courier;
  readonly crashAt: number;

  constructor(outside: Outside, time: VirtualTime, crashAt: number, afterEffect: boolean) {
    this.crashAt = crashAt;
    const notices = new Notices(options, [{ name: 'callback', minimumSeverity: 'info' }]);
    this.book = new AlertBook({ notices, maintenance: [], repeatMs: 1e9, changed: () => undefined });
    if (outside.disk !== undefined) this.book.restore(JSON.parse(outside.disk) as SavedAlerts);
    /** Does it, unless the process is dead; at the moment of death it is either done or not, and never answers. */
    const outward = async (effect: () => void): Promise<void> => {
      const step = this.steps++;
      if (step < crashAt || (step === crashAt && afterEffect)) effect();
      if (step >= crashAt) await new Promise(() => undefined);
      // Meanwhile more happens.
      await time.sleep(1.5);
    };
    this.courier = new Courier({
      store: {
        load: () => undefined,
        save: (alerts) => {
          const text = JSON.stringify(alerts);
          return outward(() => (outside.disk = text));
        },
      },
      sinks: [
        callbackSink((notice) =>
          outward(() => {
            if (this.delivered.has(notice.id)) outside.repeated++;
            this.delivered.add(notice.id);
            outside.heard.set(notice.id, notice);
          }),
        ),
      ],
      timers: time,
      random: () => 0,
      timeoutMs: 1e9,
      attempts: 3,
      save: () => this.book.save(),
      outbox: () => notices.outbox,
      settled: (id, sink) => {
        notices.settle(id, sink);
      },
      fault: (error) => {
        throw error;
      },
    });
    this.courier.touch();
  }

  get isDead(): boolean {
    return this.steps > this.crashAt;
  }
}

/** Troubles of three targets, each good or bad for at least eight turns. */
const phases = fc.array(fc.integer({ min: 8, max: 14 }), { minLength: 2, maxLength: 6 });
const histories = fc.tuple(phases, phases, phases);
const isBad = (lengths: readonly number[], turn: number): boolean => {
  let end = 0;
  const phase = lengths.findIndex((length) => turn < (end += length));
  return phase % 2 === 1;
};

async function live(
  outside: Outside,
  history: readonly (readonly number[])[],
  crashes: readonly { at: number; after: boolean }[],
): Promise<void> {
  const time = new VirtualTime();
  const plan = [...crashes];
  const born = (): Life => {
    const crash = plan.shift();
    return new Life(outside, time, crash?.at ?? Infinity, crash?.after ?? false);
  };
  let life = born();
  for (let turn = 0; turn < 100; turn++) {
    await time.advance(1);
    history.forEach((lengths, index) => {
      const target = { id: `t${index}`, service: 's' };
      const verdict = isBad(lengths, turn) ? 'raise' : 'clear';
      if (life.book.judge(rule, target, { verdict }, time.now())) life.courier.touch();
    });
    if (life.book.tick(time.now())) life.courier.touch();
    await settled();
    if (life.isDead) life = born();
  }
}

/** Of each trouble one begin, and one end if it ended. */
const expected = (history: readonly (readonly number[])[]): string[] =>
  history.flatMap((lengths, index) =>
    lengths.flatMap((_, phase) => (phase % 2 === 0 ? [] : [`firing t${index}`, `resolved t${index}`])),
  );

test('no alert is lost and none is doubled, wherever the process dies', async () => {
  const crashes = fc.array(fc.record({ at: fc.integer({ min: 0, max: 25 }), after: fc.boolean() }), {
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(histories, crashes, async (history, plan) => {
      const outside = new Outside();
      await live(outside, history, plan);
      const told = outside.told.map((line) => line.split(' ').slice(0, 2).join(' '));
      expect(told.sort()).toEqual(expected(history).sort());
      // Begin and end of a trouble are told of the same alert.
      const ids = (kind: string) =>
        outside.told.filter((line) => line.startsWith(kind)).map((line) => line.split(' ')[2]);
      expect(new Set(ids('firing')).size).toBe(ids('firing').length);
      expect(new Set(ids('resolved'))).toEqual(new Set(ids('firing')));
      // Again only by a later life, which cannot know.
      expect(outside.repeated).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test('without a crash nothing is delivered twice', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const outside = new Outside();
      await live(outside, history, []);
      expect(outside.repeated).toBe(0);
    }),
    { numRuns: 50 },
  );
});
