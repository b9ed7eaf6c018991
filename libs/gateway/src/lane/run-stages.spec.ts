import { expect, test } from '@jest/globals';
import { HttpProblem } from '@mesh/problem';
import fc from 'fast-check';
import type { Passage, Refusal, Stage } from '../passage.ts';
import { runStages } from './run-stages.ts';

const kind = fc.constantFrom('passes', 'passes later', 'refuses', 'refuses later', 'throws', 'rejects');
const passage = {} as Passage;

function stageOf(what: string, seen: string[]): Stage {
  const problem = new HttpProblem('ERR_FORBIDDEN', what);
  return () => {
    seen.push(what);
    if (what === 'passes') return undefined;
    if (what === 'passes later') return Promise.resolve(undefined);
    if (what === 'refuses') return problem;
    if (what === 'refuses later') return Promise.resolve(problem);
    if (what === 'throws') throw new Error(what);
    return Promise.reject(new Error(what));
  };
}

test('stages run in turn up to the first that does not let through; one that breaks lets nobody through', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(kind, { maxLength: 6 }), async (kinds) => {
      const seen: string[] = [];
      const settled: (Refusal | undefined)[] = [];
      runStages(
        kinds.map((what) => stageOf(what, seen)),
        passage,
        (refusal) => settled.push(refusal),
      );
      const end = kinds.findIndex((what) => !what.startsWith('passes'));
      const path = end === -1 ? kinds : kinds.slice(0, end + 1);
      // Nothing waits where nothing has to.
      if (path.every((what) => ['passes', 'refuses', 'throws'].includes(what)))
        expect(settled).toHaveLength(1);
      for (let turn = 0; turn < 40; turn++) await Promise.resolve();
      expect(seen).toEqual(path);
      expect(settled).toHaveLength(1);
      const last = end === -1 ? undefined : kinds[end];
      const code =
        last === undefined ? undefined : last.startsWith('refuses') ? 'ERR_FORBIDDEN' : 'ERR_INTERNAL';
      expect(settled[0]?.code).toBe(code);
    }),
  );
});
