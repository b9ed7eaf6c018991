import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BodyPace, readPace, slowBody } from './body-pace.ts';

test('nothing for 15 s, or less than 256 bytes a second after the first five', () => {
  const silent = new BodyPace(readPace({ minBytesPerSecond: 0 }), 0);
  expect([silent.isTooSlow(15_000), silent.isTooSlow(15_001)]).toEqual([false, true]);
  const crawling = new BodyPace(readPace(), 0);
  for (let second = 1; second <= 5; second++) crawling.add(100, second * 1000);
  expect([crawling.isTooSlow(6_900), crawling.isTooSlow(7_000)]).toEqual([false, true]);
  const steady = new BodyPace(readPace(), 0);
  for (let second = 1; second <= 3600; second++) {
    steady.add(256, second * 1000);
    expect(steady.isTooSlow(second * 1000 + 900)).toBe(false);
  }
  expect([slowBody.status, slowBody.code]).toEqual([408, 'ERR_REQUEST_TIMEOUT']);
});

test("time in which the body was not read is not the client's", () => {
  const pace = new BodyPace(readPace(), 0);
  pace.pause(1_000);
  expect(pace.isTooSlow(3_600_000)).toBe(false);
  pace.resume(3_600_000);
  expect([pace.isTooSlow(3_604_000), pace.isTooSlow(3_604_001)]).toEqual([false, true]);
});

test('any body: as a model that looks at every ms in which it was read', () => {
  const step = fc.record({
    act: fc.constantFrom('add' as const, 'pause' as const, 'resume' as const, 'look' as const),
    afterMs: fc.nat(400),
    bytes: fc.nat(40),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(0, 50, 100),
      fc.array(step, { maxLength: 40 }),
      (minBytesPerSecond, steps) => {
        const rules = readPace({ minBytesPerSecond, graceMs: 300, idleMs: 700 });
        const pace = new BodyPace(rules, 0);
        let [now, readMs, silentMs, bytes, isPaused] = [0, 0, 0, 0, false];
        for (const one of steps) {
          now += one.afterMs;
          if (!isPaused) {
            readMs += one.afterMs;
            silentMs += one.afterMs;
          }
          if (one.act === 'pause') {
            pace.pause(now);
            isPaused = true;
          } else if (one.act === 'resume') {
            pace.resume(now);
            isPaused = false;
          } else if (one.act === 'add' && !isPaused) {
            pace.add(one.bytes, now);
            bytes += one.bytes;
            silentMs = 0;
          }
          const owes = minBytesPerSecond > 0 && ((readMs - 300) * minBytesPerSecond) / 1000 > bytes;
          expect(pace.isTooSlow(now)).toBe(!isPaused && (silentMs > 700 || owes));
        }
      },
    ),
  );
});

test.each(['minBytesPerSecond', 'graceMs', 'idleMs'])('refuses a wrong %s by name', (option) => {
  expect(() => readPace({ [option]: -1 })).toThrow(`bodyPace: ${option} must be`);
});
