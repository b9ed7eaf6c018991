import { lapOf } from './lap.ts';
import { scan } from './lottery.ts';
import type { Candidate, Picker, Policy, PolicyTools, Random } from './policy.ts';
import { SmoothTurns } from './smooth.ts';

/** Up to here a walk through all of them at each pick costs little, and is exact also while some are refused. */
const mostSmooth = 16;

/**
 * One after the other, each as often as its weight says. Starts anywhere, so that many callers that start together do
 * not all begin with the same endpoint, and goes on where it was when the set is refreshed.
 */
export function roundRobinPolicy({ random }: PolicyTools): Policy {
  // Counts on over every set: cut down to one lap it would end at 0 in a set of one, and callers would march in step.
  const turns = { taken: Math.floor(random() * 2 ** 20) };
  return {
    build: (candidates) => {
      const isEven = candidates.every(({ weight }) => weight === candidates[0]?.weight);
      return isEven || candidates.length > mostSmooth
        ? lapPicker(candidates, turns, random)
        : smoothPicker(candidates, turns, random);
    },
  };
}

interface Turns {
  taken: number;
}

function lapPicker<C extends Candidate>(candidates: readonly C[], turns: Turns, random: Random): Picker<C> {
  const weights = candidates.map(({ weight }) => weight);
  const lap = lapOf(weights);
  let next = lap.length > 0 ? turns.taken % lap.length : 0;
  return {
    pick(request) {
      for (let steps = 0; steps < lap.length; steps++) {
        const candidate = candidates[lap[next] ?? 0];
        // By hand: a division would cost as much as the rest.
        next = next + 1 === lap.length ? 0 : next + 1;
        turns.taken++;
        if (candidate !== undefined && request.accepts(candidate)) return candidate;
      }
      // Nobody on the lap; what is left has a weight of 0.
      return scan(candidates, weights, request, random);
    },
  };
}

function smoothPicker<C extends Candidate>(
  candidates: readonly C[],
  turns: Turns,
  random: Random,
): Picker<C> {
  const weights = candidates.map(({ weight }) => weight);
  const smooth = new SmoothTurns(candidates, turns.taken % 1024);
  return {
    pick(request) {
      turns.taken++;
      return smooth.pick(request) ?? scan(candidates, weights, request, random);
    },
  };
}
