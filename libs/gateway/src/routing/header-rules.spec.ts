import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { applyRules, compileRules } from './header-rules.ts';

const name = fc.constantFrom('a', 'b', 'c');
const cased = name.chain((one) => fc.constantFrom(one, one.toUpperCase()));
const pairs = fc.array(fc.tuple(cased, fc.string({ maxLength: 3 })), { maxLength: 8 });

test('set replaces, add comes beside, remove takes away; the rest stays as it came', () => {
  const rules = fc.record({
    set: fc.dictionary(name, fc.string({ maxLength: 2 })),
    add: fc.dictionary(name, fc.array(fc.string({ maxLength: 2 }), { maxLength: 2 })),
    remove: fc.uniqueArray(name),
  });
  fc.assert(
    fc.property(pairs, rules, (came, { set, add, remove }) => {
      const compiled = compileRules({ set, add, remove });
      const kept = came.filter(
        ([field]) => !Object.hasOwn(set, field.toLowerCase()) && !remove.includes(field.toLowerCase() as 'a'),
      );
      const added = Object.entries(add).flatMap(([field, values]) =>
        values.map((value): [string, string] => [field, value]),
      );
      const expected = [...kept, ...Object.entries(set), ...added].flat();
      expect(compiled === undefined ? came.flat() : applyRules(compiled, came.flat())).toEqual(expected);
    }),
  );
});

test('rules that say nothing are none', () => {
  expect(compileRules(undefined)).toBeUndefined();
  expect(compileRules({ set: {}, remove: [] })).toBeUndefined();
});
