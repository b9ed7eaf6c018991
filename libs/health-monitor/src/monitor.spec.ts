import { expect, test } from '@jest/globals';
import { memoryStore } from './alert-store.ts';
import type { CheckResult } from './check.ts';
import { HealthMonitor } from './monitor.ts';
import type { MonitoredTarget } from './monitored-target.ts';
import type { Notice } from './notice.ts';
import type { HealthMonitorOptions } from './options.ts';
import { callbackSink } from './sink.ts';
import { downRule } from './status-rule.ts';
import type { Target } from './target.ts';
import { VirtualTime } from './testing/virtual-time.ts';

/** A world of targets whose answers can be changed. */
class World {
  readonly time = new VirtualTime(1_700_000_000_000);
  readonly notices: Notice[] = [];
  readonly faults: unknown[] = [];
  readonly answers = new Map<string, CheckResult & { readonly afterMs?: number }>();
  readonly monitor: HealthMonitor;

  constructor(options: HealthMonitorOptions = {}) {
    this.monitor = new HealthMonitor({
      clock: this.time,
      timers: this.time,
      random: () => 0,
      sinks: [callbackSink((notice) => this.notices.push(notice))],
      notices: { groupWaitMs: 0 },
      ...options,
    });
    this.monitor.on('fault', ({ error }) => this.faults.push(error));
  }

  target(id: string, options: Partial<Target> = {}): Target {
    return {
      id,
      check: async () => {
        const { afterMs = 5, ...result } = this.answers.get(id) ?? {};
        await this.time.sleep(afterMs);
        return result;
      },
      ...options,
    };
  }

  get heard(): string[] {
    return this.notices.flatMap(({ items }) =>
      items.map(({ kind, alert }) => `${kind} ${alert.rule} ${alert.target}`),
    );
  }
}

const down: CheckResult = { status: 'down', message: 'connection refused' };

test('from a probe to a recovery notice with the downtime', async () => {
  const world = new World();
  world.monitor.add(world.target('db', { intervalMs: 1000 }));
  await world.monitor.start();
  await world.time.advance(10_000);
  expect(world.monitor.target('db')).toMatchObject({ status: 'up' });

  world.answers.set('db', down);
  const killedAt = world.time.now();
  await world.time.advance(3100);
  const [alert] = world.monitor.alerts;
  expect(alert).toMatchObject({
    state: 'firing',
    severity: 'critical',
    summary: 'db is down: connection refused',
  });
  // fall x edge interval
  expect(alert!.startedAt - killedAt).toBeLessThanOrEqual(3020);

  world.monitor.acknowledge(alert!.id, { by: 'ann', note: 'restarting it' });
  await world.time.advance(60_000);
  expect(world.monitor.alerts[0]).toMatchObject({ state: 'acknowledged', acknowledgement: { by: 'ann' } });
  world.answers.delete('db');
  await world.time.advance(20_000);
  expect(world.monitor.alerts).toEqual([]);
  const [resolved] = world.monitor.resolvedAlerts;
  expect(resolved).toMatchObject({
    state: 'resolved',
    acknowledgement: { by: 'ann' },
    resolution: 'recovered',
  });
  expect(resolved!.downtimeMs).toBeGreaterThan(60_000);
  expect(world.heard).toEqual(['firing down db', 'acknowledged down db', 'resolved down db']);
  expect(world.notices.at(-1)!.title).toMatch(/^resolved: down of db after 1 min/);
  await world.monitor.close();
  expect(world.time.pending).toBe(0);
});

test('while down, one good answer is not yet a recovery', async () => {
  const world = new World();
  let call = 0;
  world.monitor.add(
    world.target('db', { intervalMs: 1000, check: () => (call++ % 2 === 0 ? down : undefined) }),
  );
  await world.monitor.start();
  await world.time.advance(60_000);
  expect(world.monitor.target('db')!.status).toBe('down');
});

test('a 5 s stall of the monitor raises no alert', async () => {
  const world = new World();
  for (let index = 0; index < 50; index++)
    world.monitor.add(world.target(`t${index}`, { intervalMs: 1000, fall: 1, timeoutMs: 500 }));
  await world.monitor.start();
  for (let round = 0; round < 5; round++) {
    await world.time.advance(3000 + round);
    world.time.stall(5000);
  }
  await world.time.advance(5000);
  expect(world.monitor.alerts).toEqual([]);
  expect(world.monitor.resolvedAlerts).toEqual([]);
  expect(world.monitor.targets.every(({ status }) => status === 'up')).toBe(true);
});

test('a stranger on the port counts as down', async () => {
  const world = new World();
  world.answers.set('a', { identity: 'somebody-else' });
  world.monitor.add(world.target('a', { identity: 'user-4000' }));
  await world.monitor.start();
  await world.time.advance(100);
  expect(world.monitor.target('a')).toMatchObject({
    status: 'down',
    message: 'expected user-4000, somebody-else answered',
  });
});

test('passive samples feed the windows, and a failure brings the next check forward', async () => {
  const world = new World({ rules: [] });
  world.monitor.add(world.target('a', { intervalMs: 60_000 }));
  await world.monitor.start();
  await world.time.advance(10_000);
  for (let call = 0; call < 99; call++) world.monitor.record('a', { ok: true, latencyMs: 20 });
  world.monitor.record('a', { ok: false });
  world.monitor.record('nobody', { ok: false });
  const target = world.monitor.target('a')!;
  expect(target.window('1m')).toMatchObject({ count: 101, errors: 1 });
  expect(Math.abs(target.latency('5m').p50! - 20)).toBeLessThan(0.21);
  await world.time.advance(1100);
  expect(target.window('1m').count).toBe(102);
});

test('the thresholds of a service: response time, error rate, availability', async () => {
  const world = new World({ rules: [] });
  world.monitor.add(
    world.target('a', {
      intervalMs: 1000,
      alertThresholds: { responseTime: 200, errorRate: 0.1, availability: 0.9 },
    }),
  );
  await world.monitor.start();
  await world.time.advance(60_000);
  expect(world.monitor.alerts).toEqual([]);
  world.answers.set('a', { afterMs: 400 });
  await world.time.advance(30_000);
  expect(world.monitor.alerts).toMatchObject([
    { rule: 'responseTime', severity: 'warning', state: 'firing' },
  ]);
  world.answers.set('a', down);
  await world.time.advance(120_000);
  const rules = world.monitor.alerts.map(({ rule }) => rule).sort();
  expect(rules).toEqual(['availability', 'errorRate', 'responseTime']);
  world.answers.delete('a');
  await world.time.advance(900_000);
  expect(world.monitor.alerts).toEqual([]);
  expect(world.monitor.resolvedAlerts).toHaveLength(3);
});

test('what depends on something that is down raises nothing, and what it raised before is resolved all the same', async () => {
  const world = new World({ defaults: { intervalMs: 1000 } });
  for (const id of ['db-1', 'db-2']) world.monitor.add(world.target(id, { service: 'db' }));
  world.monitor.add(world.target('early', { dependsOn: ['db'] }));
  world.monitor.add(world.target('late', { dependsOn: ['db'] }));
  await world.monitor.start();
  await world.time.advance(3000);
  world.answers.set('early', down);
  await world.time.advance(5000);
  for (const id of ['db-1', 'db-2']) world.answers.set(id, { ...down, immediate: true });
  await world.time.advance(5000);
  world.answers.set('late', down);
  await world.time.advance(30_000);
  expect(world.heard.filter((line) => line.includes('late'))).toEqual([]);
  world.answers.delete('early');
  await world.time.advance(30_000);
  expect(world.heard).toContain('resolved down early');
  // The database is back, the dependent is not: now it is its own trouble.
  for (const id of ['db-1', 'db-2']) world.answers.delete(id);
  await world.time.advance(30_000);
  expect(world.heard).toContain('firing down late');
});

test('a flapping target is told of once', async () => {
  const world = new World({
    defaults: { intervalMs: 1000, rise: 1, fall: 1 },
    notices: { groupWaitMs: 0, groupIntervalMs: 0 },
  });
  let call = 0;
  world.monitor.add(
    world.target('a', { check: () => (Math.floor(call++ / 2) % 2 === 0 ? undefined : down) }),
  );
  await world.monitor.start();
  await world.time.advance(600_000);
  const told = world.heard.length;
  expect(world.heard).toContain('firing flapping a');
  await world.time.advance(600_000);
  expect(world.heard).toHaveLength(told);
});

test('alerts of one service become one notice; a page waits for nobody', async () => {
  const world = new World({
    notices: { groupWaitMs: 30_000, groupIntervalMs: 300_000 },
    defaults: { intervalMs: 1000 },
  });
  for (const id of ['u1', 'u2', 'u3']) world.monitor.add(world.target(id, { service: 'users' }));
  world.monitor.add(world.target('pay', { rules: [downRule({ severity: 'page' })] }));
  await world.monitor.start();
  await world.time.advance(5000);
  for (const id of ['u1', 'u2', 'u3', 'pay']) world.answers.set(id, down);
  await world.time.advance(6000);
  expect(world.heard).toEqual(['firing down pay']);
  await world.time.advance(35_000);
  expect(world.notices).toHaveLength(2);
  expect(world.notices[1]!.items).toHaveLength(3);
  expect(world.notices[1]!.title).toMatch(/\(and 2 more\)$/);
});

test('trouble that is over before the group was told of it is not told', async () => {
  const world = new World({ notices: { groupWaitMs: 30_000 }, defaults: { intervalMs: 1000 } });
  world.monitor.add(world.target('a'));
  await world.monitor.start();
  await world.time.advance(5000);
  world.answers.set('a', down);
  await world.time.advance(8000);
  expect(world.monitor.alerts).toHaveLength(1);
  world.answers.delete('a');
  await world.time.advance(100_000);
  expect(world.heard).toEqual([]);
  expect(world.monitor.resolvedAlerts).toHaveLength(1);
});

test('repeats until acknowledged, escalates all the same', async () => {
  const rules = [downRule({ escalate: [{ afterMs: 400_000, severity: 'page' }] })];
  const world = new World({
    rules,
    notices: { groupWaitMs: 0, groupIntervalMs: 0, repeatMs: 100_000 },
    defaults: { intervalMs: 1000 },
  });
  world.answers.set('a', down);
  world.monitor.add(world.target('a'));
  await world.monitor.start();
  await world.time.advance(250_000);
  expect(world.heard).toEqual(['firing down a', 'repeat down a', 'repeat down a']);
  world.monitor.acknowledge(world.monitor.alerts[0]!.id, { by: 'ann' });
  await world.time.advance(250_000);
  expect(world.heard.slice(3)).toEqual(['acknowledged down a', 'escalated down a']);
});

test('a silence keeps people unaware; what still fires afterwards is told, what was told is resolved', async () => {
  const world = new World({ defaults: { intervalMs: 1000 } });
  for (const id of ['a', 'b']) world.monitor.add(world.target(id));
  await world.monitor.start();
  await world.time.advance(3000);
  world.answers.set('b', down);
  await world.time.advance(10_000);
  const until = world.time.now() + 60_000;
  world.monitor.silence({ match: { target: '*' }, until, by: 'ann', note: 'moving the rack' });
  world.answers.set('a', down);
  world.answers.delete('b');
  await world.time.advance(50_000);
  expect(world.heard).toEqual(['firing down b', 'resolved down b']);
  expect(world.monitor.quietedBy(world.monitor.alerts[0] as never)).toBe(world.monitor.silences[0]!.id);
  await world.time.advance(20_000);
  expect(world.heard).toContain('firing down a');
  expect(world.monitor.silences).toEqual([]);
});

test('announced maintenance is quiet', async () => {
  const world = new World({
    maintenance: [{ name: 'rack', match: { service: 'a' }, from: 0, until: 1_700_000_100_000 }],
    defaults: { intervalMs: 1000 },
  });
  world.answers.set('a', down);
  world.monitor.add(world.target('a'));
  await world.monitor.start();
  await world.time.advance(90_000);
  expect(world.heard).toEqual([]);
  await world.time.advance(20_000);
  expect(world.heard).toEqual(['firing down a']);
});

test('a set of targets is replaced: who stays keeps its past, who leaves is resolved as removed', async () => {
  const world = new World({ defaults: { intervalMs: 1000 } });
  world.monitor.replace(['a', 'b'].map((id) => world.target(id)));
  await world.monitor.start();
  world.answers.set('b', down);
  await world.time.advance(20_000);
  const count = world.monitor.target('a')!.window('1m').count;
  world.monitor.replace(['a', 'c'].map((id) => world.target(id, { intervalMs: 2000 })));
  expect(world.monitor.targets.map(({ id }) => id)).toEqual(['a', 'c']);
  expect(world.monitor.target('a')!.window('1m').count).toBe(count);
  expect(world.monitor.resolvedAlerts).toMatchObject([{ target: 'b', resolution: 'removed' }]);
  await world.time.advance(5000);
  expect(world.monitor.target('c')!.status).toBe('up');
});

test('an alert goes on over a restart: same id, nothing told twice', async () => {
  const store = memoryStore();
  const first = new World({ store, defaults: { intervalMs: 1000 } });
  first.answers.set('a', down);
  first.monitor.add(first.target('a'));
  await first.monitor.start();
  await first.time.advance(10_000);
  const { id } = first.monitor.alerts[0]!;
  first.monitor.acknowledge(id, { by: 'ann' });
  await first.monitor.close();

  const second = new World({ store, defaults: { intervalMs: 1000 } });
  second.time.stall(30_000);
  second.answers.set('a', down);
  await second.monitor.start();
  second.monitor.add(second.target('a'));
  await second.time.advance(5000);
  expect(second.monitor.alerts).toMatchObject([
    { id, state: 'acknowledged', acknowledgement: { by: 'ann' } },
  ]);
  second.answers.delete('a');
  await second.time.advance(10_000);
  expect(first.heard.concat(second.heard)).toEqual([
    'firing down a',
    'acknowledged down a',
    'resolved down a',
  ]);
  expect(second.monitor.resolvedAlerts[0]!.downtimeMs).toBeGreaterThan(30_000);
});

test('an alert whose target never came back is resolved after an hour', async () => {
  const store = memoryStore();
  const first = new World({ store });
  first.answers.set('a', down);
  first.monitor.add(first.target('a'));
  await first.monitor.start();
  await first.time.advance(1000);
  await first.monitor.close();
  const second = new World({ store });
  await second.monitor.start();
  await second.time.advance(3_590_000);
  expect(second.monitor.alerts).toHaveLength(1);
  await second.time.advance(20_000);
  expect(second.monitor.resolvedAlerts).toMatchObject([{ resolution: 'removed' }]);
});

test('faults of rules, listeners and stores are events and stop nothing', async () => {
  const world = new World({
    store: {
      load: () => undefined,
      save: () => {
        throw new Error('disk full');
      },
    },
    rules: [
      {
        ...downRule(),
        name: 'broken',
        judge: () => {
          throw new Error('broken rule');
        },
      },
      downRule(),
    ],
  });
  world.monitor.on('check', () => {
    throw new Error('broken listener');
  });
  world.answers.set('a', down);
  world.monitor.add(world.target('a'));
  await world.monitor.start();
  await world.time.advance(1000);
  expect(world.heard).toEqual(['firing down a']);
  const messages = new Set(world.faults.map((error) => (error as Error).message));
  expect(messages).toEqual(new Set(['broken listener', 'broken rule', 'disk full']));
});

test('what is asked of an alert that is not there is an error with a code', async () => {
  const world = new World({ rules: [downRule({ forMs: 60_000 })] });
  expect(() => world.monitor.acknowledge('x', { by: 'ann' })).toThrow(
    expect.objectContaining({ code: 'ERR_ALERT_NOT_FOUND' }),
  );
  world.answers.set('a', down);
  world.monitor.add(world.target('a'));
  await world.monitor.start();
  await world.time.advance(1000);
  const { id } = world.monitor.alerts[0]!;
  expect(() => world.monitor.acknowledge(id, { by: 'ann' })).toThrow(
    expect.objectContaining({ code: 'ERR_ALERT_PENDING' }),
  );
});

test('options are checked where they arrive', () => {
  const options: [HealthMonitorOptions, string][] = [
    [{ defaults: { intervalMs: 0 } }, 'healthMonitor: intervalMs must be a number > 0 (milliseconds), got 0'],
    [{ defaults: { jitterRatio: 2 } }, 'healthMonitor: jitterRatio must be a ratio from 0 to 1, got 2'],
    [{ concurrency: 0.5 }, 'healthMonitor: concurrency must be an integer >= 1, got 0.5'],
    [
      { targets: [{ id: '', check: () => undefined }] },
      'healthMonitor: id must be a text of 1 to 500 characters, got ',
    ],
    [
      { sinks: [callbackSink(() => 0), callbackSink(() => 0)] },
      'healthMonitor: the name of a sink must be unique, got callback twice',
    ],
    [{ notices: { repeatMs: NaN } }, 'healthMonitor: repeatMs must be a number > 0 (milliseconds), got NaN'],
  ];
  for (const [bad, message] of options) expect(() => new HealthMonitor(bad)).toThrow(new RangeError(message));
});

test('a store with something else in it stops the start', async () => {
  const monitor = new HealthMonitor({ store: { load: () => ({ version: 9 }), save: () => undefined } });
  await expect(monitor.start()).rejects.toThrow(TypeError);
});

test('of two that depend on each other one is told, and who depends on its own service too', async () => {
  const rules = [downRule({ forMs: 5000 })];
  const world = new World({ rules, defaults: { intervalMs: 1000 } });
  world.monitor.add(world.target('a', { dependsOn: ['b'] }));
  world.monitor.add(world.target('b', { dependsOn: ['a'] }));
  world.monitor.add(world.target('lonely', { dependsOn: ['lonely'] }));
  await world.monitor.start();
  await world.time.advance(3000);
  for (const id of ['a', 'b', 'lonely']) world.answers.set(id, { ...down, immediate: true });
  await world.time.advance(60_000);
  expect(world.heard.filter((line) => line.startsWith('firing')).sort()).toEqual([
    expect.stringMatching(/^firing down [ab]$/),
    'firing down lonely',
  ]);
});

test('a monitor that is closed before its store has answered leaves the store as it is', async () => {
  const saved: unknown[] = [];
  let answer: (value: unknown) => void = () => undefined;
  const load = () => new Promise((resolve) => (answer = resolve));
  const world = new World({ store: { load, save: (alerts) => saved.push(alerts) } });
  expect(() => world.monitor.silence({ match: { rule: 'x' }, until: 1e15, by: 'ann', note: '' })).toThrow(
    expect.objectContaining({ code: 'ERR_NOT_STARTED' }),
  );
  const started = world.monitor.start();
  await world.monitor.close();
  answer(undefined);
  await started;
  await world.time.advance(1000);
  expect(saved).toEqual([]);
  expect(world.time.pending).toBe(0);
});

test('an alert of a rule that its target no longer has is resolved', async () => {
  const world = new World({ rules: [], defaults: { intervalMs: 1000 } });
  world.answers.set('a', down);
  world.monitor.add(world.target('a', { rules: [downRule()] }));
  await world.monitor.start();
  await world.time.advance(1000);
  expect(world.monitor.alerts).toHaveLength(1);
  world.monitor.add(world.target('a'));
  expect(world.monitor.alerts).toEqual([]);
  expect(world.monitor.resolvedAlerts).toMatchObject([{ resolution: 'removed' }]);
});

test('a crowd is taken up in slices, and each of it asked as seldom as `checksPerSecond` says', async () => {
  const world = new World({ checksPerSecond: 100 });
  let asked = 0;
  const check = () => {
    asked += 1;
    return undefined;
  };
  for (let index = 0; index < 2500; index++) {
    world.monitor.add({ id: `t${index}`, check, intervalMs: 1000, jitterRatio: 0 });
  }
  const started = world.monitor.start();
  await Promise.resolve();
  await Promise.resolve();
  // One that it has taken up already, one that it comes to later, and one that is new.
  world.monitor.remove('t0');
  world.monitor.remove('t2499');
  world.monitor.add({ id: 'new', check, intervalMs: 1000, jitterRatio: 0 });
  await started;
  expect(world.monitor.health.targets).toBe(2499);
  await world.time.advance(26_000);
  expect(world.monitor.targets.every(({ status }) => status === 'up')).toBe(true);
  asked = 0;
  await world.time.advance(50_000);
  expect(Math.abs(asked - 5000)).toBeLessThan(100);
  await world.monitor.close();
});

test('a target without samples keeps nothing', async () => {
  const world = new World();
  world.monitor.add(world.target('db', { intervalMs: 1000 }));
  const target = world.monitor.target('db') as MonitoredTarget;
  expect(target.bytesBySeries).toEqual({ outcomes: 0, latency: 0, anomaly: 0 });
  expect(target.window('5m')).toMatchObject({ count: 0, availability: undefined, throughput: 0 });
  expect(target.latency('24h')).toEqual({ count: 0, p50: undefined, p95: undefined, p99: undefined });
  expect(target.anomaly).toMatchObject({ active: false, detectors: [] });
  await world.monitor.start();
  await world.time.advance(3_600_000 * 2);
  for (const bytes of Object.values(target.bytesBySeries)) {
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(4096);
  }
  await world.monitor.close();
});
