import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isOpen, readMaintenance } from './maintenance.ts';
import { matches, readMatcher } from './matcher.ts';

const alert = {
  rule: 'down',
  target: 'user-service-4001',
  service: 'user-service',
  severity: 'critical',
} as const;

test('all that a matcher names must fit', () => {
  expect(matches({ service: 'user-service' }, alert)).toBe(true);
  expect(matches({ target: 'user-*', rule: 'down' }, alert)).toBe(true);
  expect(matches({ target: 'user-service' }, alert)).toBe(false);
  expect(matches({ service: 'user-service', severity: 'page' }, alert)).toBe(false);
  expect(() => readMatcher({})).toThrow(RangeError);
});

test('recurring work is open when one of its days began it less than its length ago', () => {
  const day = 86_400_000;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 400 * 1440 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 6 })),
      fc.integer({ min: 0, max: 1439 }),
      fc.integer({ min: 1, max: 1440 }),
      (minute, weekdays, startMinute, minutes) => {
        const now = minute * 60_000;
        const match = { service: 's' };
        const work = readMaintenance({
          name: 'w',
          match,
          weekdays,
          startMinute,
          durationMs: minutes * 60_000,
        });
        // 1970-01-01 was a Thursday (4). Every minute that the work covers, one by one.
        let open = false;
        for (let back = 0; back < minutes; back++) {
          const at = now - back * 60_000;
          const isStart = (((at / 60_000) % 1440) + 1440) % 1440 === startMinute;
          if (isStart && weekdays.includes((Math.floor(at / day) + 4 + 7000) % 7)) open = true;
        }
        expect(isOpen(work, now)).toBe(open);
      },
    ),
  );
});

test('work that is done once', () => {
  const work = readMaintenance({ name: 'w', match: { service: 's' }, from: 100, until: 200 });
  expect([99, 100, 199, 200].map((now) => isOpen(work, now))).toEqual([false, true, true, false]);
  expect(() => readMaintenance({ ...work, from: 200 })).toThrow('until must be after from, got 200');
});
