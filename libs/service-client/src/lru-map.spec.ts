import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LruMap } from './lru-map.ts';

test('keeps what a naive list keeps', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(key, { maxLength: 60 }), (limit, keys) => {
      const map = new LruMap<{ readonly key: string }>(limit);
      let model: { readonly key: string }[] = [];
      for (const used of keys) {
        const known = model.find((entry) => entry.key === used);
        const value = map.getOrCreate(used, () => ({ key: used }));
        if (known !== undefined) expect(value).toBe(known);
        model = [...model.filter((entry) => entry !== known), value].slice(-limit);
        expect([...map.entries()].map(([, entry]) => entry)).toEqual(model);
        expect(map.size).toBe(model.length);
      }
    }),
  );
});

test('peek is not a use', () => {
  const map = new LruMap<number>(2);
  map.getOrCreate('a', () => 1);
  map.getOrCreate('b', () => 2);
  expect(map.peek('a')).toBe(1);
  map.getOrCreate('c', () => 3);
  expect(map.peek('a')).toBeUndefined();
});

test('a limit below one is refused', () => {
  expect(() => new LruMap(0)).toThrow('serviceClient: limit must be an integer >= 1, got 0');
});
