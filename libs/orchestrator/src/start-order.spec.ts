import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { startOrder, withNeeds } from './start-order.ts';

/** Graphs without a cycle: edges only lead to smaller numbers. */
const acyclic = fc
  .integer({ min: 1, max: 12 })
  .chain((size) =>
    fc.tuple(
      ...Array.from({ length: size }, (_, index) =>
        index === 0 ? fc.constant<number[]>([]) : fc.uniqueArray(fc.nat(index - 1)),
      ),
    ),
  )
  .chain((edges) => fc.shuffledSubarray([...edges.entries()], { minLength: edges.length }))
  .map((entries) => new Map(entries.map(([from, to]) => [`s${from}`, to.map((other) => `s${other}`)])));

test('everything comes once, and after all that it needs', () => {
  fc.assert(
    fc.property(acyclic, (needs) => {
      const order = startOrder(needs);
      expect([...order].sort()).toEqual([...needs.keys()].sort());
      for (const [name, needed] of needs) {
        for (const other of needed) expect(order.indexOf(other)).toBeLessThan(order.indexOf(name));
      }
    }),
  );
});

test('a cycle is found and named wherever it is', () => {
  fc.assert(
    fc.property(acyclic, fc.integer({ min: 1, max: 6 }), (needs, length) => {
      const ring = Array.from({ length }, (_, index) => `ring${index}`);
      const edges = ring.map((name, at): [string, string[]] => [name, [ring[(at + 1) % length] ?? '', 's0']]);
      const cyclic = new Map([...needs, ...edges]);
      const named = new RegExp(`depend on each other: (ring\\d+)( -> ring\\d+){${length - 1}} -> \\1$`);
      expect(() => startOrder(cyclic)).toThrow(named);
    }),
  );
});

test('names without a preference keep the order in which they were given', () => {
  expect(startOrder(new Map(['c', 'a', 'b'].map((name) => [name, []])))).toEqual(['c', 'a', 'b']);
});

test('what is needed is found through any number of steps, and nothing else', () => {
  const needs = new Map([
    ['gateway', ['user']],
    ['user', ['discovery']],
    ['order', ['discovery']],
    ['discovery', []],
  ]);
  expect([...withNeeds(['gateway'], needs)].sort()).toEqual(['discovery', 'gateway', 'user']);
});
