import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterJudgement, escalated, isActive, type Alert } from './alert.ts';
import { alertRule, type Judgement } from './rule.ts';

const subject = { id: 'a', target: 't', service: 's' };
const ruleOf = (forMs: number, keepFiringForMs: number) =>
  alertRule({ name: 'r', forMs, keepFiringForMs, judge: () => ({ verdict: 'hold' }) });
const steps = fc.array(
  fc.record({
    wait: fc.integer({ min: 0, max: 40 }),
    verdict: fc.constantFrom<Judgement['verdict']>('raise', 'hold', 'clear'),
  }),
  { maxLength: 40 },
);

/** Searches the history for the last turns instead of keeping a state. */
function naive(all: { at: number; verdict: string }[], forMs: number, keepMs: number): string {
  let state = 'none';
  let began = 0;
  let clearSince: number | undefined;
  for (const { at, verdict } of all) {
    if (state === 'none' && verdict === 'raise') {
      state = 'pending';
      began = at;
    }
    if (state === 'pending' && verdict === 'clear') state = 'none';
    if (state === 'pending' && verdict === 'raise' && at - began >= forMs) state = 'firing';
    if (state !== 'firing') continue;
    clearSince = verdict === 'clear' ? (clearSince ?? at) : undefined;
    if (clearSince !== undefined && at - clearSince >= keepMs) {
      state = 'none';
      clearSince = undefined;
    }
  }
  return state;
}

test('goes the way of the naive model', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 30, 100), fc.constantFrom(0, 30, 100), (all, forMs, keepMs) => {
      const rule = ruleOf(forMs, keepMs);
      let alert: Alert | undefined;
      let now = 1000;
      const past: { at: number; verdict: string }[] = [];
      for (const { wait, verdict } of all) {
        now += wait;
        past.push({ at: now, verdict });
        alert = afterJudgement(alert, rule, { verdict }, subject, now);
        const state = alert === undefined || alert.state === 'resolved' ? 'none' : alert.state;
        expect(state).toBe(naive(past, forMs, keepMs));
        if (alert?.state === 'resolved') expect(alert.downtimeMs).toBe(alert.resolvedAt - alert.startedAt);
      }
    }),
    { numRuns: 500 },
  );
});

test('downtime is counted from the begin of the trouble to the first sign of its end', () => {
  const rule = ruleOf(0, 50);
  let alert = afterJudgement(undefined, rule, { verdict: 'raise', since: 900 }, subject, 1000);
  alert = afterJudgement(alert, rule, { verdict: 'clear' }, subject, 1200);
  expect(alert).toMatchObject({ state: 'firing', clearSince: 1200 });
  alert = afterJudgement(alert, rule, { verdict: 'clear' }, subject, 1260);
  expect(alert).toMatchObject({
    state: 'resolved',
    resolvedAt: 1200,
    downtimeMs: 300,
    resolution: 'recovered',
  });
});

test('trouble that comes back while the end is awaited is the same trouble', () => {
  const rule = ruleOf(0, 50);
  let alert = afterJudgement(undefined, rule, { verdict: 'raise' }, subject, 1000);
  alert = afterJudgement(alert, rule, { verdict: 'clear' }, subject, 1100);
  alert = afterJudgement(alert, rule, { verdict: 'hold' }, subject, 1120);
  alert = afterJudgement(alert, rule, { verdict: 'clear' }, subject, 1160);
  expect(isActive(alert)).toBe(true);
});

test('becomes worse with time, never milder', () => {
  const rule = alertRule({
    name: 'r',
    severity: 'critical',
    escalate: [
      { afterMs: 100, severity: 'page' },
      { afterMs: 50, severity: 'info' },
    ],
    judge: () => ({ verdict: 'hold' }),
  });
  const alert = afterJudgement(undefined, rule, { verdict: 'raise' }, subject, 1000);
  expect(escalated(alert!, rule, 1060).severity).toBe('critical');
  expect(escalated(alert!, rule, 1100).severity).toBe('page');
});

test('ranges are checked', () => {
  const judge = () => ({ verdict: 'hold' as const });
  expect(() => alertRule({ name: '', judge })).toThrow(
    'healthMonitor: name must be a text of 1 to 500 characters, got ',
  );
  expect(() => alertRule({ name: 'r', forMs: -1, judge })).toThrow(
    'forMs must be a number >= 0 (milliseconds), got -1',
  );
  expect(() => alertRule({ name: 'r', severity: 'bad' as 'info', judge })).toThrow('severity must be one of');
});
