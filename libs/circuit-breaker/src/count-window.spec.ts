import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CountWindow } from './count-window.ts';
import { latest, NaiveWindow } from './testing/naive-window.ts';
import { trapRejections } from './testing/rejection-trap.ts';

trapRejections();

test('counts the latest calls as the naive window does, after every call', () => {
  const act = fc.oneof(
    { weight: 15, arbitrary: fc.tuple(fc.boolean(), fc.boolean()) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(act, { maxLength: 60 }), (size, script) => {
      const window = new CountWindow(size);
      const naive = new NaiveWindow(latest(size));
      for (const next of script) {
        if (next === 'clear') {
          window.clear();
          naive.clear();
        } else {
          window.record(...next);
          naive.record(...next, 0);
        }
        window.catchUp();
        const { calls, failures, slow } = window;
        expect({ calls, failures, slow }).toEqual(naive.counts(0));
      }
    }),
    { numRuns: 500 },
  );
});

test('B13: stale marks of an emptied window come back in no other', () => {
  const window = new CountWindow(3);
  for (let call = 0; call < 3; call++) window.record(true, true);
  window.clear();
  for (let call = 0; call < 7; call++) window.record(false, false);
  expect([window.calls, window.failures, window.slow]).toEqual([3, 0, 0]);
});
