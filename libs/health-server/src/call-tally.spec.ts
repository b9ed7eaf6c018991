import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CallTally, type ObservedCall } from './call-tally.ts';

const calls = fc.array(
  fc.record({
    service: fc.constantFrom('users', 'orders'),
    instance: fc.constantFrom('1', '2'),
    ok: fc.boolean(),
    latencyMs: fc.nat(1000),
  }),
  { maxLength: 400 },
);

const keyOf = ({ service, instance }: { service: string; instance: string }): string =>
  `${service} ${instance}`;

test('every call is counted once, and the latencies are those of good calls', () => {
  fc.assert(
    fc.property(calls, fc.nat(400), (made, at) => {
      const tally = new CallTally();
      const reports = [made.slice(0, at), made.slice(at)].map((part) => {
        for (const call of part) tally.add(call);
        return tally.take();
      });
      const sum = (fits: (call: ObservedCall) => boolean): number => made.filter(fits).length;
      for (const key of new Set(made.map(keyOf))) {
        const own = reports.flat().filter((report) => keyOf(report) === key);
        expect(own.reduce((total, { ok }) => total + ok, 0)).toBe(
          sum((call) => keyOf(call) === key && call.ok),
        );
        expect(own.reduce((total, { failed }) => total + failed, 0)).toBe(
          sum((call) => keyOf(call) === key && !call.ok),
        );
        const good = new Set(
          made.filter((call) => keyOf(call) === key && call.ok).map(({ latencyMs }) => latencyMs),
        );
        for (const { ok, latenciesMs } of own) {
          expect(latenciesMs).toHaveLength(Math.min(64, ok));
          expect(latenciesMs.every((ms) => good.has(ms))).toBe(true);
        }
      }
      expect(tally.take()).toEqual([]);
    }),
  );
});

test('the kept latencies are a fair sample: late calls are kept as often as early ones', () => {
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  let late = 0;
  for (let round = 0; round < 200; round++) {
    const tally = new CallTally(random);
    for (let call = 0; call < 256; call++) {
      tally.add({ service: 's', instance: 'i', ok: true, latencyMs: call });
    }
    late += tally.take()[0]?.latenciesMs.filter((ms) => ms >= 128).length ?? 0;
  }
  // Half of 64 x 200, four standard deviations around it.
  expect(Math.abs(late - 6400)).toBeLessThan(200);
});

test('memory is bounded, whatever comes', () => {
  const tally = new CallTally();
  for (let call = 0; call < 20_000; call++)
    tally.add({ service: 's', instance: String(call % 2000), ok: true });
  for (let call = 0; call < 20_000; call++) tally.add({ service: 's', instance: '0', ok: false });
  const reports = tally.take();
  expect(reports).toHaveLength(1000);
  expect(Math.max(...reports.map(({ failed }) => failed))).toBe(10_000);
});
