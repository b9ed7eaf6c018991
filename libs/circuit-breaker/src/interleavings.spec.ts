import { describe, expect, test } from '@jest/globals';
import { consecutiveFailures } from './consecutive-failures.ts';
import type { Outcome } from './gate.ts';
import { Interleaving, type Move } from './testing/interleaving.ts';
import type { Law } from './testing/naive-circuit.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { slowCallRate } from './window-rule.ts';
import { any } from './trip-rule.ts';
import { NaiveAny, NaiveSlowRule, naiveStreak } from './testing/naive-rules.ts';

trapRejections();

const numbers = { breakMs: 5, attemptDecayMs: 1_000, probeLeaseMs: 3, rampMs: 0, mode: 'enabled' } as const;

const failure = {
  text: 'the first failure',
  rule: consecutiveFailures(1),
  naive: () => naiveStreak(1),
};

const failureOrSlow = {
  text: 'the first failure, or slow call',
  rule: any(
    consecutiveFailures(1),
    slowCallRate({ slowAfterMs: 5, ratio: 1, minimumCalls: 1, windowCalls: 1 }),
  ),
  naive: () =>
    new NaiveAny([naiveStreak(1), new NaiveSlowRule({ windowCalls: 1 }, 5, ({ slow }) => slow >= 1)]),
};

const laws: readonly Law[] = [
  { ...numbers, twin: failure, trials: 1, successThreshold: 1 },
  { ...numbers, twin: failure, trials: 2, successThreshold: 1 },
  { ...numbers, twin: failure, trials: 2, successThreshold: 2 },
  { ...numbers, twin: failureOrSlow, trials: 2, successThreshold: 1 },
];

const calls = 4;
const transitions = 3;
const waits = 4;

/** Each call ends well, badly, aborted, or (if nobody tells it to) never; after the longer wait it has been slow. */
const ends: readonly Outcome[] = ['success', 'failure', 'ignored'];
/** A lease is one of them, a break and a slow call are two. */
const waitMs = 3;

function* movesAfter(script: readonly Move[]): Generator<Move> {
  const begun = script.filter((move) => move.do === 'begin').length;
  if (begun < calls) yield { do: 'begin' };
  if (script.filter((move) => move.do === 'wait').length < waits) yield { do: 'wait', ms: waitMs };
  for (let which = 0; which < begun; which++) {
    if (script.some((move) => move.do === 'end' && move.which === which)) continue;
    for (const outcome of ends) yield { do: 'end', which, outcome };
  }
}

describe(`goals 9, 10 and 11: all interleavings of up to ${calls} calls and ${transitions} transitions`, () => {
  test.each(laws)('$twin.text opens, $successThreshold of $trials trials close', (law) => {
    // Schedules that lead to a circuit that was met before go on as the first one did.
    const met = new Set<string>();
    let late = 0;
    const walk = (script: readonly Move[]): void => {
      const play = new Interleaving(law);
      for (const move of script) play.make(move);
      const { fingerprint } = play;
      play.check();
      late += play.lateResults;
      if (met.has(fingerprint) || play.transitions === transitions) return;
      met.add(fingerprint);
      for (const move of movesAfter(script)) walk([...script, move]);
    };
    walk([]);
    expect(met.size).toBeGreaterThan(2_000);
    expect(late).toBeGreaterThan(300);
  });
});
