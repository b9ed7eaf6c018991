import { expect, test } from '@jest/globals';
import { SelfHealth, statusCodeOf, type SelfHealthOptions, type SelfStatus } from './self-health.ts';
import { VirtualTime } from './testing/virtual-time.ts';

const healthWith = (checks: SelfHealthOptions['checks'] = {}, more: Partial<SelfHealthOptions> = {}) => {
  const time = new VirtualTime();
  const health = new SelfHealth({ service: 'user-service', checks, clock: time, timers: time, ...more });
  return { time, health };
};
const sick = () => Promise.reject(new Error('gone'));

test('the JSON of a health endpoint: critical is unhealthy, optional is degraded', async () => {
  const { health, time } = healthWith({ database: () => 1, mail: { run: sick, critical: false } });
  await time.advance(1500);
  const report = await health.report();
  expect(report).toEqual({
    status: 'degraded',
    service: 'user-service',
    timestamp: expect.stringMatching(/^\d{4}-/),
    uptime: 1.5,
    checks: {
      database: { status: 'healthy', durationMs: 0 },
      mail: { status: 'unhealthy', durationMs: 0, error: 'gone' },
    },
  });
  expect(statusCodeOf(report)).toBe(200);
  expect(statusCodeOf(await healthWith({ database: sick }).health.report())).toBe(503);
});

test('starting until the startup checks passed once, and never again', async () => {
  let migrated = false;
  const run = () => (migrated ? undefined : sick());
  const { health, time } = healthWith({ migration: { run, kinds: ['startup'] } });
  expect(await health.report('startup')).toMatchObject({
    status: 'starting',
    checks: { migration: { error: 'gone' } },
  });
  expect((await health.report()).status).toBe('starting');
  expect((await health.report('liveness')).status).toBe('healthy');
  migrated = true;
  await time.advance(1000);
  expect((await health.report('startup')).status).toBe('healthy');
  migrated = false;
  await time.advance(1000);
  expect((await health.report('startup')).status).toBe('healthy');
  expect((await health.report()).status).toBe('healthy');
});

test('liveness asks only what says so, and leaving is no reason to be killed', async () => {
  const { health } = healthWith({ database: sick, loop: { run: () => 1, kinds: ['liveness'] } });
  health.leave();
  expect(await health.report('liveness')).toMatchObject({ status: 'healthy', checks: { loop: {} } });
  expect((await health.report()).status).toBe('leaving');
});

test('each check has its own time and its own memory', async () => {
  let looks = 0;
  const hang = () => new Promise(() => undefined);
  const { health, time } = healthWith({
    slow: { run: hang, timeoutMs: 50 },
    dear: { run: () => looks++, cacheMs: 60_000 },
  });
  const first = health.report();
  await time.advance(60);
  expect(await first).toMatchObject({
    checks: { slow: { error: 'no answer within 50 ms', durationMs: 50 } },
  });
  await time.advance(5000);
  const second = health.report();
  await time.advance(60);
  await second;
  expect(looks).toBe(1);
  expect(() => healthWith({ a: { run: hang, timeoutMs: -1 } })).toThrow(
    'health: timeoutMs must be a number >= 0, got -1',
  );
});

test('tells changes of the readiness, and of nothing else', async () => {
  const changes: SelfStatus[] = [];
  let state: 'good' | 'bad' = 'good';
  const check = {
    run: () => (state === 'bad' ? sick() : undefined),
    kinds: ['readiness', 'liveness'] as const,
  };
  const { health, time } = healthWith({ check }, { onChange: (status) => changes.push(status) });
  for (state of ['good', 'bad', 'bad', 'good'] as const) {
    await time.advance(1000);
    await health.report('liveness');
    await health.report();
  }
  expect(changes).toEqual(['unhealthy', 'healthy']);
});
