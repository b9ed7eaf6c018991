import { HttpProblem } from '@mesh/problem';
import type { Passage, Refusal, Stage } from '../passage.ts';

/**
 * Sends a passage through stages, one after the other; `settled` hears why it ends here, or undefined. It is called before this returns
 * unless a stage has to wait. A stage that throws, which none may, ends the passage: what was not checked is not let through.
 */
export function runStages(
  stages: readonly Stage[],
  passage: Passage,
  settled: (refusal: Refusal | undefined) => void,
  from = 0,
): void {
  for (let at = from; at < stages.length; at++) {
    const answer = ask(stages[at], passage);
    if (answer === undefined) continue;
    if (!('then' in answer)) {
      settled(answer);
      return;
    }
    answer.catch(broken).then((refusal) => {
      if (refusal === undefined) runStages(stages, passage, settled, at + 1);
      else settled(refusal);
    }, rethrow);
    return;
  }
  settled(undefined);
}

function ask(stage: Stage | undefined, passage: Passage): ReturnType<Stage> {
  try {
    return stage?.(passage);
  } catch (error) {
    return broken(error);
  }
}

function broken(cause: unknown): Refusal {
  return new HttpProblem('ERR_INTERNAL', 'A check of the gateway failed.', { cause });
}

/** What `settled` throws is a fault of the program; it must not vanish in a promise. */
function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
