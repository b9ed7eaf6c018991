import { describe, expect, test } from '@jest/globals';
import { consecutiveFailures } from './consecutive-failures.ts';
import type { Permit } from './gate.ts';
import { successAverage } from './success-average.ts';
import { boom, fail, hang, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip, virtual, type VirtualBreaker } from './testing/virtual-breaker.ts';
import { any, type TripCounts, type TripRule } from './trip-rule.ts';
import { failureCount, failureRate, slowCallRate, windowRule } from './window-rule.ts';

trapRejections();

/** Ends calls as the letters say: o(k), f(ailed), i(gnored). @returns the state after each. */
function play({ breaker }: VirtualBreaker, letters: string): string {
  const outcomes = { o: 'success', f: 'failure', i: 'ignored' } as const;
  return letters
    .split('')
    .map((letter) => {
      breaker.tryAcquire()?.settle(outcomes[letter as 'o' | 'f' | 'i']);
      return breaker.state === 'closed' ? '-' : '!';
    })
    .join('');
}

const by = (tripWhen: TripRule): VirtualBreaker => virtual({ tripWhen });

describe('a rule opens', () => {
  test.each<[string, TripRule, string, string]>([
    ['at the default three failures', failureCount(), 'fofof', '----!'],
    [
      'at so many failures among the latest calls',
      failureCount({ failures: 2, windowCalls: 3 }),
      'foofof',
      '-----!',
    ],
    ['at a rate, from the least number of calls on', failureRate({ minimumCalls: 4 }), 'fffo', '---!'],
    ['by default from ten calls on', failureRate(), 'fffffffffo', '---------!'],
    ['at exactly its ratio', failureRate({ ratio: 0.25, minimumCalls: 4 }), 'ooof', '---!'],
    ['not below its ratio', failureRate({ ratio: 0.26, minimumCalls: 4 }), 'ooof', '----'],
    ['by a rate of one, when all have failed', failureRate({ ratio: 1, minimumCalls: 2 }), 'off', '---'],
    [
      'by rate from a full window on, though the minimum is above it',
      failureRate({ windowCalls: 3, minimumCalls: 100 }),
      'ffo',
      '--!',
    ],
    ['after so many failures in a row', consecutiveFailures(3), 'ffofff', '-----!'],
    ['whatever is ignored between', consecutiveFailures(2), 'fiif', '---!'],
    ['below its average, from five calls on', successAverage(), 'fffff', '----!'],
    ['not at its average', successAverage({ below: 0.5, minimumCalls: 2 }), 'ofof', '----'],
    ['below its average at the first chance', successAverage({ below: 0.5, minimumCalls: 2 }), 'off', '--!'],
    [
      'when one of several does',
      any(consecutiveFailures(3), failureRate({ minimumCalls: 4 })),
      'foof',
      '---!',
    ],
    [
      'when another of them does',
      any(failureRate({ minimumCalls: 4 }), consecutiveFailures(3)),
      'fff',
      '--!',
    ],
    ['ignored calls are in no rate', failureRate({ minimumCalls: 2 }), 'iiifif', '-----!'],
  ])('%s', (_, rule, letters, states) => {
    expect(play(by(rule), letters)).toBe(states);
  });

  test('B9: a rate is one of completed calls; those under way and those refused are not in it', () => {
    const both = by(failureRate({ minimumCalls: 15 }));
    for (let call = 0; call < 20; call++) both.breaker.tryAcquire();
    expect(play(both, 'f'.repeat(15))).toBe('--------------!');
  });

  test('the average forgets: an old failure weighs 1/e after the decay time', () => {
    const both = by(successAverage({ below: 0.7, decayMs: 100, minimumCalls: 1 }));
    expect(play(both, 'oo')).toBe('--');
    both.pass(100);
    // Weights: 2/e of success, 1 failed: 0.424 < 0.7.
    expect(play(both, 'f')).toBe('!');
    both.breaker.reset();
    expect(play(both, 'oooo')).toBe('----');
    both.pass(10);
    expect(play(both, 'f')).toBe('-');
    expect(both.breaker.getSnapshot().failureCount).toBe(1);
    both.pass(400);
    expect(both.breaker.getSnapshot().failureCount).toBe(0);
  });

  test('the least number of calls of an average is counted since the circuit last closed', () => {
    const both = by(successAverage({ minimumCalls: 3 }));
    expect(play(both, 'ff')).toBe('--');
    both.breaker.reset();
    expect(play(both, 'fff')).toBe('--!');
  });

  test('an average begins at any time of the clock', () => {
    const { breaker, pass } = virtual(
      { tripWhen: successAverage({ below: 0.6, decayMs: 10, minimumCalls: 1 }) },
      -1_000,
    );
    for (let call = 0; call < 50; call++) breaker.tryAcquire()?.settle('success');
    pass(100);
    breaker.tryAcquire()?.settle('failure');
    expect(breaker.state).toBe('open');
  });
});

describe('a rule over a time window', () => {
  test.each([
    ['failureCount', failureCount({ failures: 2, windowMs: 100 })],
    ['failureRate', failureRate({ ratio: 1, minimumCalls: 2, windowMs: 100 })],
  ])('%s forgets what is older', (_, rule) => {
    const both = by(rule);
    expect(play(both, 'f')).toBe('-');
    both.pass(110);
    expect(play(both, 'f')).toBe('-');
    both.pass(100);
    expect(play(both, 'f')).toBe('!');
  });

  test('has a window of 30 s unless told otherwise', () => {
    for (const rule of [failureCount({ failures: 2 }), failureRate({ ratio: 1, minimumCalls: 2 })]) {
      const both = by(rule);
      play(both, 'f');
      both.pass(33_000);
      expect(play(both, 'f')).toBe('-');
      both.pass(30_000);
      expect(play(both, 'f')).toBe('!');
    }
  });
});

describe('slow calls', () => {
  const slow = (options = {}): VirtualBreaker =>
    by(slowCallRate({ slowAfterMs: 100, minimumCalls: 2, windowCalls: 4, ...options }));

  function takes(both: VirtualBreaker, ms: number): string {
    const permit = both.breaker.tryAcquire();
    both.pass(ms);
    permit?.settle('success');
    return both.breaker.state;
  }

  test('are those that take longer than the limit, and open the circuit at their rate', () => {
    const both = slow();
    expect(takes(both, 100)).toBe('closed');
    expect(takes(both, 100.1)).toBe('open');
    const [patient, other] = [slow(), slow({ ratio: 0.6 })];
    expect([takes(patient, 1), takes(patient, 101)]).toEqual(['closed', 'open']);
    expect([takes(other, 1), takes(other, 101)]).toEqual(['closed', 'closed']);
  });

  test('count from ten calls on unless told otherwise', () => {
    const both = by(slowCallRate({ slowAfterMs: 100 }));
    const states = Array.from({ length: 10 }, () => takes(both, 101));
    expect(states).toEqual([...Array<string>(9).fill('closed'), 'open']);
  });

  test('count while they are still under way: hung calls open the circuit though none of them ends', () => {
    const both = slow();
    for (let call = 0; call < 2; call++) void both.breaker.execute(hang);
    both.pass(109);
    expect(both.breaker.tryAcquire()).toBeDefined();
    both.pass(1);
    expect(both.breaker.tryAcquire()).toBeUndefined();
    expect(both.breaker.state).toBe('open');
  });

  test('found by who reads the snapshot are not lost to the rule', () => {
    const both = slow();
    for (let call = 0; call < 2; call++) void both.breaker.execute(hang);
    both.pass(110);
    both.breaker.getSnapshot();
    expect(both.breaker.state).toBe('closed');
    expect(both.breaker.tryAcquire()).toBeUndefined();
  });

  test('found by who reads the snapshot, and forgotten since, open nothing', () => {
    const both = slow({ windowCalls: undefined, windowMs: 100 });
    for (let call = 0; call < 2; call++) void both.breaker.execute(hang);
    both.pass(110);
    both.breaker.getSnapshot();
    both.pass(110);
    expect(both.breaker.tryAcquire()).toBeDefined();
  });

  test('count once, when they are overdue, whatever they end like', () => {
    const both = slow({ minimumCalls: 3 });
    const permits = [both.breaker.tryAcquire(), both.breaker.tryAcquire()];
    both.pass(110);
    for (const permit of permits) permit?.settle('failure');
    expect(both.breaker.state).toBe('closed');
    expect(both.breaker.getSnapshot()).toMatchObject({ failureCount: 0, totals: { failure: 2 } });
    expect(takes(both, 1)).toBe('open');
  });

  test('that were aborted in time never happened', () => {
    const both = slow({ minimumCalls: 1 });
    const permit = both.breaker.tryAcquire();
    both.pass(50);
    permit?.settle('ignored');
    both.pass(1_000);
    expect(takes(both, 1)).toBe('closed');
  });

  test('of before an outage are no part of what comes after', () => {
    const both = slow({ minimumCalls: 1 });
    const old: (Permit | undefined)[] = [both.breaker.tryAcquire(), both.breaker.tryAcquire()];
    both.pass(50);
    both.breaker.reset();
    both.pass(60);
    for (const permit of old) permit?.settle('success');
    expect(takes(both, 1)).toBe('closed');
  });

  test('as a trial is a failed one', () => {
    const both = virtual({
      tripWhen: slowCallRate({ slowAfterMs: 100, minimumCalls: 1 }),
      resetTimeoutInMilliseconds: 1_000,
      successThreshold: 1,
    });
    takes(both, 101);
    both.pass(1_000);
    expect(takes(both, 101)).toBe('open');
    both.pass(1_000);
    expect(takes(both, 100)).toBe('closed');
  });

  test('and failed ones can share a threshold, by a rule of your own', () => {
    const rule = windowRule({
      slowAfterMs: 100,
      windowCalls: 4,
      trips: ({ calls, failures, slow: late }) => calls === 4 && failures + late >= 2,
    });
    const both = by(rule);
    expect(takes(both, 101)).toBe('closed');
    expect(play(both, 'foo')).toBe('--!');
  });

  test('a combined rule tells them by the shortest limit', () => {
    const never = { trips: () => false };
    const rule = any(
      windowRule({ ...never, slowAfterMs: 300 }),
      windowRule({ ...never, slowAfterMs: 100 }),
      windowRule(never),
    );
    expect(rule).toMatchObject({ needs: 'durations', slowAfterMs: 100 });
    expect(any(failureCount(), windowRule(never))).not.toHaveProperty('slowAfterMs');
  });
});

describe('a rule asks for no more than it needs', () => {
  test.each<[string, TripRule]>([
    ['failures', failureCount()],
    ['outcomes', failureCount({ windowCalls: 5 })],
    ['outcomes', consecutiveFailures(1)],
    ['times', failureRate()],
    ['times', successAverage()],
    ['durations', slowCallRate({ slowAfterMs: 1 })],
    ['failures', any(failureCount(), failureCount())],
    ['outcomes', any(consecutiveFailures(1), failureRate({ windowCalls: 5 }))],
    ['times', any(failureCount(), consecutiveFailures(1))],
    ['times', any(consecutiveFailures(1), failureCount())],
    ['times', any(failureRate(), failureCount())],
    ['times', any(consecutiveFailures(1), failureRate())],
    ['durations', any(slowCallRate({ slowAfterMs: 1 }), failureCount())],
    ['durations', any(any(failureCount(), slowCallRate({ slowAfterMs: 1 })), consecutiveFailures(1))],
  ])('%s', (needs, rule) => {
    expect(rule.needs).toBe(needs);
  });

  test('and is told no more: each part of a combined rule hears what it would hear alone', () => {
    const heard: string[] = [];
    const part = (needs: TripRule['needs']): TripRule => ({
      needs,
      meter: () => ({
        begin: () => {
          heard.push(`${needs} begin`);
          return false;
        },
        end: (outcome) => {
          heard.push(`${needs} ${outcome}`);
          return false;
        },
        counts: (): TripCounts => ({ calls: 0, failures: 0, slow: 0 }),
        clear: () => heard.push(`${needs} clear`),
      }),
    });
    const both = by(any(part('failures'), part('outcomes'), part('times'), part('durations')));
    play(both, 'ofi');
    both.breaker.reset();
    expect(heard).toEqual([
      'durations begin',
      'outcomes success',
      'times success',
      'durations success',
      'durations begin',
      'failures failure',
      'outcomes failure',
      'times failure',
      'durations failure',
      'durations begin',
      'durations ignored',
      'failures clear',
      'outcomes clear',
      'times clear',
      'durations clear',
    ]);
  });

  test('a rule of durations may do without the beginning', () => {
    const rule: TripRule = {
      needs: 'durations',
      meter: () => ({
        end: (_outcome, now, startedAt) => now - startedAt >= 5,
        counts: () => ({ calls: 0, failures: 7, slow: 0 }),
        clear: () => undefined,
      }),
    };
    for (const tripWhen of [rule, any(rule)]) {
      const both = by(tripWhen);
      const faults: unknown[] = [];
      both.breaker.on('fault', ({ error }) => faults.push(error));
      const permit = both.breaker.tryAcquire();
      both.pass(5);
      permit?.settle('success');
      expect(both.breaker.getSnapshot()).toMatchObject({ state: 'open', failureCount: 7 });
      expect(faults).toEqual([]);
    }
  });
});

test('the first part of a combined rule gives the counts', () => {
  const both = by(any(consecutiveFailures(9), failureRate({ minimumCalls: 9 })));
  play(both, 'ffof');
  expect(both.breaker.getSnapshot().failureCount).toBe(1);
  const other = by(any(failureRate({ minimumCalls: 9 }), consecutiveFailures(9)));
  play(other, 'ffof');
  expect(other.breaker.getSnapshot().failureCount).toBe(3);
});

test('the counts that a rule of your own sees', () => {
  const seen: TripCounts[] = [];
  const both = by(
    windowRule({
      windowMs: 100,
      trips: ({ calls, failures, slow }) => {
        seen.push({ calls, failures, slow });
        return false;
      },
    }),
  );
  play(both, 'ofi');
  both.pass(110);
  play(both, 'f');
  expect(seen).toEqual([
    { calls: 1, failures: 0, slow: 0 },
    { calls: 2, failures: 1, slow: 0 },
    { calls: 1, failures: 1, slow: 0 },
  ]);
});

test.each([
  ['ends', undefined],
  ['begins', 10],
])('what a rule throws when a call %s is a fault and hurts no call', async (_, slowAfterMs) => {
  const { breaker, pass } = by(
    windowRule({
      windowCalls: 5,
      ...(slowAfterMs !== undefined && { slowAfterMs }),
      trips: () => {
        throw boom;
      },
    }),
  );
  const faults: unknown[] = [];
  breaker.on('fault', ({ error }) => faults.push(error));
  if (slowAfterMs !== undefined) {
    void breaker.execute(hang);
    pass(11);
    expect(breaker.tryAcquire()).toBeDefined();
    expect(faults).toEqual([boom]);
  }
  await expect(breaker.execute(succeed)).resolves.toBe('ok');
  await expect(breaker.execute(fail)).rejects.toBe(boom);
  expect(faults.length).toBeGreaterThanOrEqual(2);
  expect(faults.every((fault) => fault === boom)).toBe(true);
  expect(breaker.getSnapshot()).toMatchObject({ state: 'closed', totals: { success: 1, failure: 1 } });
});

test('the circuits of one rule share nothing', async () => {
  const rule = any(consecutiveFailures(2), failureRate({ minimumCalls: 2 }));
  const [one, other] = [by(rule), by(rule)];
  await trip(one.breaker, 1);
  await trip(other.breaker, 1);
  expect([one.breaker.state, other.breaker.state]).toEqual(['closed', 'closed']);
});

describe('options out of their range', () => {
  test.each<[string, () => unknown, string]>([
    ['failures', () => failureCount({ failures: 0 }), 'failures must be an integer >= 1, got 0'],
    ['windowMs', () => failureCount({ windowMs: 0 }), 'windowMs must be a number > 0 (milliseconds), got 0'],
    ['windowCalls', () => failureCount({ windowCalls: 1.5 }), 'windowCalls must be an integer >= 1, got 1.5'],
    [
      'both windows',
      () => failureRate({ windowMs: 5, windowCalls: 6 }),
      'give windowMs or windowCalls, not both (5, 6)',
    ],
    ['ratio', () => failureRate({ ratio: 0 }), 'ratio must be a ratio > 0 and <= 1, got 0'],
    ['ratio', () => failureRate({ ratio: 1.1 }), 'ratio must be a ratio > 0 and <= 1, got 1.1'],
    [
      'minimumCalls',
      () => failureRate({ minimumCalls: NaN }),
      'minimumCalls must be an integer >= 1, got NaN',
    ],
    [
      'slowAfterMs',
      () => slowCallRate({ slowAfterMs: -1 }),
      'slowAfterMs must be a number > 0 (milliseconds), got -1',
    ],
    [
      'ratio',
      () => slowCallRate({ slowAfterMs: 1, ratio: NaN }),
      'ratio must be a ratio > 0 and <= 1, got NaN',
    ],
    [
      'minimumCalls',
      () => slowCallRate({ slowAfterMs: 1, minimumCalls: 0 }),
      'minimumCalls must be an integer >= 1, got 0',
    ],
    ['in a row', () => consecutiveFailures(0), 'consecutiveFailures must be an integer >= 1, got 0'],
    ['below', () => successAverage({ below: 2 }), 'below must be a ratio > 0 and <= 1, got 2'],
    [
      'decayMs',
      () => successAverage({ decayMs: Infinity }),
      'decayMs must be a number > 0 (milliseconds), got Infinity',
    ],
    [
      'minimumCalls',
      () => successAverage({ minimumCalls: 0 }),
      'minimumCalls must be an integer >= 1, got 0',
    ],
    // @ts-expect-error -- what types forbid, code in JavaScript may do
    ['no rule', () => any(), 'any() needs at least one rule'],
  ])('B20: %s', (_, make, complaint) => {
    expect(make).toThrow(new RangeError(`circuitBreaker: ${complaint}`));
  });
});
