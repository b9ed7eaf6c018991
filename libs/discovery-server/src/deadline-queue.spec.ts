import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DeadlineQueue } from './deadline-queue.ts';
import type { Deadlined } from './deadline-queue.ts';

const entry = (): Deadlined => ({ deadline: 0, rank: 0, slot: -1 });

const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), index: fc.nat(11), deadline: fc.nat(50) }),
  fc.record({ kind: fc.constant('delete' as const), index: fc.nat(11) }),
  fc.record({ kind: fc.constant('take' as const), until: fc.nat(60) }),
);

test('hands out the same deadlines as a list that is sorted every time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const entries = Array.from({ length: 12 }, entry);
      const queue = new DeadlineQueue<Deadlined>();
      const model = new Map<Deadlined, number>();
      for (const one of steps) {
        if (one.kind === 'set') {
          queue.set(entries[one.index]!, one.deadline);
          model.set(entries[one.index]!, one.deadline);
        } else if (one.kind === 'delete') {
          queue.delete(entries[one.index]!);
          model.delete(entries[one.index]!);
        } else {
          const first = queue.due(one.until);
          const earliest = Math.min(...model.values());
          expect(first?.deadline).toBe(earliest <= one.until ? earliest : undefined);
          if (first === undefined) continue;
          expect(model.get(first)).toBe(first.deadline);
          queue.delete(first);
          model.delete(first);
        }
        expect(queue.size).toBe(model.size);
      }
    }),
  );
});

test('putting off touches nothing but the entry itself', () => {
  const queue = new DeadlineQueue<Deadlined>();
  const [a, b] = [entry(), entry()];
  queue.set(a, 1);
  queue.set(b, 2);
  queue.set(a, 10);
  expect(a).toEqual({ deadline: 10, rank: 1, slot: 0 });
  expect(queue.due(1)).toBeUndefined();
  expect(queue.due(2)).toBe(b);
  expect(queue.due(10)).toBe(b);
});
