import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { alertThresholds } from './alert-thresholds.ts';
import { burnRateRules } from './burn-rate.ts';
import { LatencySeries } from './latency-series.ts';
import { OutcomeSeries } from './outcome-series.ts';
import type { TargetView } from './target-view.ts';
import { thresholdRule } from './threshold-rule.ts';
import { anomalyRule, forecastRule, slowerThanPeersRule } from './trend-rules.ts';

const hour = 3_600_000;

/** A target made of its figures. */
class Figures {
  now = 1_700_000_000_000;
  readonly outcomes = new OutcomeSeries(this.now);
  readonly latencies = new LatencySeries();
  siblings: TargetView[] = [];
  anomaly: TargetView['anomaly'] = { active: false, detectors: [], expected: undefined, score: 0 };

  get view(): TargetView {
    return {
      id: 'a',
      service: 's',
      labels: {},
      status: 'up',
      since: 0,
      message: undefined,
      flapRatio: 0,
      anomaly: this.anomaly,
      siblings: this.siblings,
      window: (window) => this.outcomes.window(window, this.now),
      over: (spanMs) => this.outcomes.over(spanMs, this.now),
      latency: (window) => this.latencies.summary(window, this.now),
      quantile: (window, ratio) => this.latencies.quantile(window, ratio, this.now),
      history: (window) => this.outcomes.history(window, this.now),
    };
  }

  calls(forMs: number, errorRatio: number, latencyMs = 10): this {
    const end = this.now + forMs;
    for (let call = 0; this.now < end; call++, this.now += 10_000) {
      const ok = (call * errorRatio) % 1 < 1 - errorRatio;
      this.outcomes.sample(this.now, ok, latencyMs);
      if (ok) this.latencies.add(this.now, latencyMs);
    }
    return this;
  }
}

test('a threshold has a dead band: raised beyond the limit, cleared only on the other side', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (values) => {
      let value = 0;
      const rule = thresholdRule({ name: 't', value: () => value, above: 12, clear: 8 });
      const mirror = thresholdRule({ name: 't', value: () => -value, below: -12, clear: -8 });
      for (value of values) {
        const verdict = value > 12 ? 'raise' : value <= 8 ? 'clear' : 'hold';
        expect(rule.judge(new Figures().view).verdict).toBe(verdict);
        expect(mirror.judge(new Figures().view).verdict).toBe(verdict);
      }
    }),
  );
  expect(() => thresholdRule({ name: 't', value: () => 0, above: 10, clear: 11 })).toThrow(
    new RangeError('healthMonitor: clear must not lie beyond 10, got 11'),
  );
});

test('thresholds say nothing of too few samples, and are checked', () => {
  const [rule] = alertThresholds({ responseTime: 1 });
  expect(rule!.judge(new Figures().calls(20_000, 0).view).verdict).toBe('hold');
  expect(rule!.judge(new Figures().calls(60_000, 0).view).verdict).toBe('raise');
  expect(() => alertThresholds({ errorRate: 5 })).toThrow('errorRate must be a ratio from 0 to 1, got 5');
});

test('a fast burn is a page, a slow one a warning, and little traffic neither', () => {
  const verdicts = (figures: Figures) =>
    burnRateRules({ objective: 0.99 }).map((rule) => rule.judge(figures.view).verdict);
  expect(burnRateRules({ objective: 0.99 }).map(({ severity }) => severity)).toEqual([
    'page',
    'page',
    'warning',
  ]);
  expect(verdicts(new Figures().calls(2 * hour, 0.2))).toEqual(['raise', 'raise', 'raise']);
  // A minute of trouble in calm days: the long spans do not agree.
  expect(verdicts(new Figures().calls(72 * hour, 0).calls(60_000, 1))).toEqual(['hold', 'clear', 'clear']);
  expect(verdicts(new Figures().calls(73 * hour, 0.02))).toEqual(['clear', 'clear', 'raise']);
  expect(verdicts(new Figures().calls(600_000, 1))).toEqual(['hold', 'hold', 'hold']);
  // Over when the short span is good again.
  expect(verdicts(new Figures().calls(2 * hour, 0.2).calls(400_000, 0))[0]).toBe('clear');
  expect(() => burnRateRules({ objective: 1 })).toThrow(RangeError);
});

test('burn of downtime counts time, not calls', () => {
  const figures = new Figures();
  figures.outcomes.state(figures.now, true, Infinity);
  figures.now += 2 * hour;
  figures.outcomes.state(figures.now, false, Infinity);
  figures.now += 20 * 60_000;
  const [page] = burnRateRules({ objective: 0.99, of: 'downtime' });
  expect(page!.judge(figures.view).verdict).toBe('raise');
});

test('a forecast warns before the limit is reached, and not of a level metric', () => {
  const rule = forecastRule({ metric: 'meanMs', limit: 200, withinMs: 6 * hour });
  const rising = new Figures();
  for (let step = 0; step < 20; step++) rising.calls(hour, 0, 100 + 4 * step);
  expect(rule.judge(rising.view).verdict).toBe('raise');
  const level = new Figures();
  for (let step = 0; step < 20; step++) level.calls(hour, 0, 176 + (step % 3));
  expect(rule.judge(level.view).verdict).toBe('clear');
  expect(rule.judge(new Figures().view).verdict).toBe('hold');
});

test('slower than its peers only if a second view agrees', () => {
  const peers = [10, 11, 10.5, 9.8].map((ms) => new Figures().calls(60_000, 0, ms).view);
  const target = (ms: number, active = false) => {
    const figures = new Figures().calls(60_000, 0, ms);
    figures.siblings = peers;
    figures.anomaly = { ...figures.anomaly, active };
    return slowerThanPeersRule().judge(figures.view).verdict;
  };
  expect(target(10.2)).toBe('clear');
  expect(target(16)).toBe('clear');
  expect(target(16, true)).toBe('raise');
  expect(target(40)).toBe('raise');
  const lonely = new Figures().calls(60_000, 0, 40);
  expect(slowerThanPeersRule().judge(lonely.view).verdict).toBe('hold');
});

test('an anomaly says who found it', () => {
  const figures = new Figures();
  figures.anomaly = { active: true, detectors: ['spike', 'cusum'], expected: 1, score: 9 };
  expect(anomalyRule().judge(figures.view)).toEqual({
    verdict: 'raise',
    value: 9,
    summary: 'response times of a are unusual (spike, cusum)',
  });
});
