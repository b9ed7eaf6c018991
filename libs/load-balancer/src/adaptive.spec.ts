import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AdaptivePool } from './adaptive-pool.ts';
import { AdaptivePulse } from './adaptive-pulse.ts';
import { LoadBalancer } from './load-balancer.ts';
import type { Candidate } from './policy.ts';
import { seeded } from './testing/seeded.ts';

interface End {
  readonly at: number;
  readonly outcome: 'success' | 'failure' | 'ignored';
  readonly latencyMs: number;
  readonly endpoint: number;
}

/** The formula of the JSDoc, read off the whole history of all endpoints each time. */
function naiveLoad(history: readonly End[], endpoint: number, pressure: number, nowMs: number): number {
  let typical: number | undefined;
  let failures = 0;
  const each = new Map<
    number,
    { latency?: number; learned: number; told: number; odds: number; asOf: number; fine: number }
  >();
  const get = (id: number) => {
    const known = each.get(id) ?? { learned: 0, told: 0, odds: 0, asOf: 0, fine: -Infinity };
    each.set(id, known);
    return known;
  };
  const oddsOf = (id: number, at: number) => {
    const odds = get(id).odds * Math.pow(0.5, (at - get(id).asOf) / 370);
    return odds < 0.001 ? 0 : odds;
  };
  const expectedOf = (id: number, at: number) => {
    const { latency, told } = get(id);
    if (latency === undefined) return 0;
    const base = typical ?? 1;
    const fresh = Math.max(0, 1 - ((at - told) / 2800) ** 2);
    return latency <= base ? latency : base + (latency - base) * fresh;
  };
  const learn = (id: number, { at, latencyMs }: End) => {
    const known = get(id);
    const kept =
      known.latency === undefined ? 0 : Math.exp(-(at - known.learned) / Math.min(500, 60 * (typical ?? 1)));
    Object.assign(known, {
      latency: kept * (known.latency ?? 0) + (1 - kept) * latencyMs,
      learned: at,
      told: at - latencyMs,
    });
  };
  for (const end of history) {
    const { at, outcome, latencyMs, endpoint: id } = end;
    const odds = oddsOf(id, at);
    if (outcome === 'ignored') {
      if (typical !== undefined && latencyMs > expectedOf(id, at)) learn(id, end);
      continue;
    }
    const ratio = Math.max(0.001, failures);
    failures += ((outcome === 'failure' ? 1 : 0) - failures) / 500 / (1 + odds);
    if (outcome === 'success') {
      typical = Math.max(
        0.001,
        typical === undefined ? latencyMs : latencyMs > typical ? typical * 1.02 : typical / 1.02,
      );
      learn(id, end);
      Object.assign(get(id), { odds: odds * 0.4, asOf: at, fine: at });
    } else {
      const sent = at - latencyMs;
      const prior = Math.min(0.1, 0.0001 + Math.max(0, sent - get(id).fine) / 1000);
      Object.assign(get(id), { odds: Math.min(100, ((odds + prior) * 0.6) / ratio), asOf: sent });
    }
  }
  const doubt = Math.min(9, oddsOf(endpoint, nowMs));
  const caution = get(endpoint).latency === undefined ? Math.max(0.3, doubt) : doubt;
  const waited = expectedOf(endpoint, nowMs);
  return ((typical ?? 1) / 2 + waited) * (pressure * (1 + 10 * caution) + 1) * (1 + doubt) ** 2;
}

const idle = (tracker: AdaptivePulse, pressure = 0, oldestStartMs = Infinity): Candidate<AdaptivePulse> => ({
  id: 'e',
  weight: 1,
  warmRatio: 1,
  inflight: pressure,
  pressure,
  latencyMs: undefined,
  oldestStartMs,
  tracker,
});

const script = fc.array(
  fc.record({
    waitMs: fc.oneof(fc.nat(20), fc.nat(5_000)),
    endpoint: fc.nat(2),
    outcome: fc.constantFrom('success', 'success', 'success', 'failure', 'ignored'),
    latencyMs: fc.oneof(
      fc.nat(30),
      fc.nat(3_000),
      fc.nat(200).map((hundredths) => hundredths / 100),
    ),
  }),
  { maxLength: 60 },
);

test('the load is the formula over the whole history', () => {
  fc.assert(
    fc.property(script, fc.nat(6_000), fc.nat(9), (steps, laterMs, pressure) => {
      const pool = new AdaptivePool();
      const pulses = [0, 1, 2].map(() => new AdaptivePulse(pool));
      const history: End[] = [];
      let at = 0;
      for (const { waitMs, endpoint, outcome, latencyMs } of steps) {
        at += waitMs;
        history.push({ at, endpoint, outcome: outcome, latencyMs });
        pulses[endpoint]?.ended({ outcome: outcome, latencyMs }, at);
      }
      pulses.forEach((pulse, endpoint) => {
        const expected = naiveLoad(history, endpoint, pressure, at + laterMs);
        const found = pulse.load(idle(pulse, pressure), at + laterMs);
        expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-9 * expected);
        expect(found).toBeGreaterThan(0);
      });
    }),
    { numRuns: 500 },
  );
});

test('whatever has happened, who is left alone is as good as the usual after 6 s', () => {
  fc.assert(
    fc.property(script, (steps) => {
      const pool = new AdaptivePool();
      const pulse = new AdaptivePulse(pool);
      let at = 0;
      for (const { waitMs, outcome, latencyMs } of steps)
        pulse.ended({ outcome: outcome, latencyMs }, (at += waitMs));
      expect(pulse.load(idle(pulse), at + 6_000)).toBeLessThanOrEqual(1.51 * pool.typicalMs);
    }),
  );
});

describe('silence', () => {
  function answered() {
    const pulse = new AdaptivePulse(new AdaptivePool());
    pulse.opened(0);
    pulse.ended({ outcome: 'success', latencyMs: 10 }, 10);
    return pulse;
  }

  test('an open request makes the load grow with its age, and is forgiven when nothing newer was sent for 2.8 s', () => {
    const pulse = answered();
    pulse.opened(20);
    const loads = [30, 60, 320, 1_020].map((nowMs) => pulse.load(idle(pulse, 1, 20), nowMs));
    expect(loads).toEqual([...loads].sort((a, b) => a - b));
    expect(loads[3]).toBeGreaterThan(50 * (loads[0] ?? NaN));
    expect(pulse.load(idle(pulse, 1, 20), 2_820)).toBe(loads[0]);
  });

  test('a download is no silence: a later request that was answered has overtaken it', () => {
    const pulse = answered();
    pulse.opened(20);
    pulse.opened(500);
    pulse.ended({ outcome: 'success', latencyMs: 10 }, 510);
    expect(pulse.load(idle(pulse, 1, 20), 900)).toBe(pulse.load(idle(pulse, 1), 900));
  });

  test('a caller that gave up has still seen how long it took', () => {
    const pulse = answered();
    const before = pulse.load(idle(pulse), 1_000);
    pulse.ended({ outcome: 'ignored', latencyMs: 800 }, 1_000);
    expect(pulse.load(idle(pulse), 1_000)).toBeGreaterThan(10 * before);
  });
});

test('times that make no sense teach nothing', () => {
  const pulse = new AdaptivePulse(new AdaptivePool());
  const before = pulse.load(idle(pulse), 0);
  for (const latencyMs of [NaN, -1, Infinity]) pulse.ended({ outcome: 'success', latencyMs }, 0);
  expect(pulse.load(idle(pulse), 0)).toBe(before);
});

test('a newcomer gets a request at once, and no more than its part before it has answered', () => {
  let nowMs = 0;
  const balancer = new LoadBalancer({ random: seeded(3), clock: { now: () => nowMs } });
  const old = [{ id: 'a' }, { id: 'b' }];
  balancer.update(old);
  for (let at = 0; at < 50; at++) {
    balancer.pick()?.done({ outcome: 'success', latencyMs: 10 });
    nowMs += 10;
  }
  balancer.update([...old, { id: 'new' }]);
  const ids = Array.from({ length: 12 }, () => balancer.pick()?.endpoint.id);
  expect(ids.slice(0, 3)).toContain('new');
  expect(ids.filter((id) => id === 'new').length).toBeLessThanOrEqual(4);
});

test('who failed in a pool that does not fail gets nothing for two seconds, then one request that decides', () => {
  let nowMs = 0;
  const balancer = new LoadBalancer({ random: seeded(3), clock: { now: () => nowMs } });
  balancer.update([{ id: 'good' }, { id: 'bad' }, { id: 'fine' }]);
  const sent: number[] = [];
  for (; nowMs < 20_000; nowMs += 10) {
    const lease = balancer.pick();
    const isBad = lease?.endpoint.id === 'bad';
    if (isBad) sent.push(nowMs);
    lease?.done({ outcome: isBad ? 'failure' : 'success', latencyMs: 10 });
  }
  const gaps = sent.slice(2).map((at, index) => at - (sent[index + 1] ?? NaN));
  expect(Math.min(...gaps)).toBeGreaterThan(2_000);
  expect(Math.max(...gaps)).toBeLessThan(3_500);
});
