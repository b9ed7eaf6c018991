import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Split, stickyKey } from './split.ts';

const weights = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 })), { minLength: 1, maxLength: 5 })
  .filter((all) => all.some((weight) => weight > 0));
const sticky = { header: 'x-user' };
const user = (name: string) => ({ rawHeaders: ['X-User', name], clientAddress: '192.0.2.1' });
const branches = (all: readonly number[]) => all.map((weight, index) => ({ name: `b${index}`, weight }));

test('a client that is known always gets the same branch, of any gateway', () => {
  fc.assert(
    fc.property(weights, fc.string(), (all, name) => {
      const [one, other] = [new Split(branches(all), sticky), new Split(branches(all), sticky)];
      const chosen = one.choose(user(name));
      expect(chosen.branch.weight).toBeGreaterThan(0);
      expect(other.choose(user(name)).name).toBe(chosen.name);
    }),
  );
});

test('each branch gets its share of many clients', () => {
  fc.assert(
    fc.property(weights, (all) => {
      const split = new Split(branches(all), sticky);
      const total = all.reduce((sum, weight) => sum + weight, 0);
      const counts = new Map<string, number>();
      for (let id = 0; id < 4_000; id++) {
        const { name } = split.choose(user(`user-${id}`));
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      // 4000 draws: 0.04 is more than five times the standard deviation of a share.
      all.forEach((weight, at) => {
        expect(Math.abs((counts.get(`b${at}`) ?? 0) / 4_000 - weight / total)).toBeLessThan(0.04);
      });
    }),
    { numRuns: 10 },
  );
});

test('when the last branch grows, nobody leaves it', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(100), fc.string(), (one, more, name) => {
      const before = new Split(branches([100 - Math.min(one, 99), one]), sticky);
      const grown = Math.min(100, one + more);
      const after = new Split(branches([100 - grown, grown]), sticky);
      if (one <= 99 && before.choose(user(name)).name === 'b1')
        expect(after.choose(user(name)).name).toBe('b1');
    }),
  );
});

test('a branch that is turned off loses its clients, and no others move', () => {
  fc.assert(
    fc.property(weights, fc.nat(4), fc.array(fc.string(), { maxLength: 20 }), (all, off, names) => {
      const split = new Split(branches(all), sticky);
      const before = names.map((name) => split.choose(user(name)).name);
      split.turnOff(`b${off}`);
      const isLast = all.every((weight, at) => weight === 0 || at === off);
      names.forEach((name, at) => {
        const now = split.choose(user(name)).name;
        if (before[at] !== `b${off}` || isLast) expect(now).toBe(before[at]);
        else expect(now).not.toBe(`b${off}`);
      });
    }),
  );
});

test('the clients of a branch that is turned off are divided anew by weight', () => {
  const split = new Split(branches([50, 50, 100]), sticky);
  split.turnOff('b2');
  const counts = { b0: 0, b1: 0 };
  for (let id = 0; id < 2_000; id++) counts[split.choose(user(String(id))).name as 'b0']++;
  expect(Math.abs(counts.b0 - counts.b1)).toBeLessThan(250);
});

test('who is not known is divided by chance', () => {
  let place = 0;
  const split = new Split(branches([1, 0, 3]), sticky, () => place);
  const nobody = { rawHeaders: [], clientAddress: '192.0.2.1' };
  const at = (where: number): string => {
    place = where;
    return split.choose(nobody).name;
  };
  expect([0, 0.249, 0.25, 0.999_999].map(at)).toEqual(['b0', 'b0', 'b2', 'b2']);
});

test('a client is known by the first that the request has: cookie, header, address', () => {
  const all = { cookie: 'c', header: 'h', address: true, seed: 's' } as const;
  const request = { rawHeaders: ['H', '1', 'Cookie', 'c=2'], clientAddress: '3' };
  expect(stickyKey(all, request)).toBe('s\n2');
  expect(stickyKey(all, { ...request, rawHeaders: ['h', '1'] })).toBe('s\n1');
  expect(stickyKey(all, { ...request, rawHeaders: [] })).toBe('s\n3');
  expect(stickyKey({ cookie: 'c' }, { ...request, rawHeaders: [] })).toBeUndefined();
});
