import { expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import { LeaseClock } from './lease-clock.ts';

test('a clock that is read often enough is the clock', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 })), (gaps) => {
      const time = new VirtualTime();
      const clock = new LeaseClock(time);
      for (const gap of gaps) {
        time.stall(gap);
        expect(clock.now()).toBe(time.now());
      }
      expect(clock.lostMs).toBe(0);
    }),
  );
});

test('of a longer gap only one pulse counts, and time never runs backwards', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5000 })), (gaps) => {
      const time = new VirtualTime();
      const clock = new LeaseClock(time);
      let expected = 0;
      for (const gap of gaps) {
        time.stall(gap);
        expected += gap > 300 ? 250 : gap;
        expect(clock.now()).toBe(expected);
      }
      expect(clock.lostMs).toBe(time.now() - expected);
    }),
  );
});
