import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DueQueue, type Due } from './due-queue.ts';

type Step = { readonly push: number } | { readonly remove: number } | { readonly shift: number };

const time = fc.integer({ min: 0, max: 50 });
const steps = fc.array(
  fc.oneof(fc.record({ push: time }), fc.record({ remove: fc.nat(30) }), fc.record({ shift: time })),
  { maxLength: 120 },
);

test('gives the same as a list that is searched every time', () => {
  fc.assert(
    fc.property(steps as fc.Arbitrary<Step[]>, (all) => {
      const queue = new DueQueue<Due>();
      let list: Due[] = [];
      for (const step of all) {
        if ('push' in step) {
          const item = { dueAt: step.push, place: -1 };
          queue.push(item);
          list.push(item);
        } else if ('remove' in step) {
          const item = list[step.remove];
          if (item) queue.remove(item);
          list = list.filter((one) => one !== item);
        } else {
          const earliest = Math.min(...list.map(({ dueAt }) => dueAt));
          const found = queue.shift(step.shift);
          expect(found?.dueAt).toBe(earliest <= step.shift ? earliest : undefined);
          list = list.filter((one) => one !== found);
        }
        expect(queue.size).toBe(list.length);
        expect(queue.first?.dueAt ?? Infinity).toBe(Math.min(...list.map(({ dueAt }) => dueAt)));
      }
    }),
  );
});

test('who is in no queue leaves none', () => {
  const queue = new DueQueue<Due>();
  const item = { dueAt: 1, place: -1 };
  queue.remove(item);
  queue.push(item);
  queue.remove(item);
  queue.remove(item);
  expect(queue.size).toBe(0);
});
