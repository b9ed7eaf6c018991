import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Watch, type Watched } from './watch.ts';

type Step = { do: 'add' | 'remove'; which: number } | { do: 'pass'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('add' as const, 'remove' as const), which: fc.nat({ max: 3 }) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 1_000 }) }),
);

test('whoever is in it at a round is asked once, with the time of the round; the timer runs while anybody is', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let now = 0;
      let round: (() => void) | undefined;
      const watch = new Watch({
        clock: { now: () => now },
        timers: {
          setInterval: (callback) => {
            expect(round).toBeUndefined();
            round = callback;
            return {};
          },
          clearInterval: () => {
            round = undefined;
          },
        },
      });
      const asked: [number, number][] = [];
      const all: Watched[] = [0, 1, 2, 3].map((at) => ({ check: (ms) => asked.push([at, ms]) }));
      const inside = new Set<number>();
      for (const one of steps) {
        if (one.do === 'pass') {
          now += one.ms;
          asked.length = 0;
          const wasRunning = round !== undefined;
          round?.();
          expect(asked).toEqual([...inside].map((at) => [at, now]));
          if (wasRunning) expect(watch.nowMs).toBe(now);
          expect(round !== undefined).toBe(inside.size > 0);
        } else if (one.do === 'add') {
          if (!inside.has(one.which)) inside.add(one.which);
          watch.add(all[one.which]!);
          expect(round).toBeDefined();
        } else {
          inside.delete(one.which);
          watch.remove(all[one.which]!);
        }
      }
    }),
  );
});

test('the platform’s own timer keeps no process alive, and one round is enough to stop it', async () => {
  const watch = new Watch({ intervalMs: 1 });
  const watched = Promise.withResolvers<number>();
  const one: Watched = {
    check: (ms) => {
      watch.remove(one);
      watched.resolve(ms);
    },
  };
  watch.add(one);
  expect(await watched.promise).toBe(watch.nowMs);
});
