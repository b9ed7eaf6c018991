import { expect, test } from '@jest/globals';
import { HealthMonitor } from './monitor.ts';
import type { HealthMonitorOptions } from './options.ts';
import type { Sink } from './sink.ts';
import { settled, VirtualTime } from './testing/virtual-time.ts';

async function deliver(sinks: Sink[], options: HealthMonitorOptions = {}) {
  const time = new VirtualTime();
  const faults: string[] = [];
  const monitor = new HealthMonitor({
    clock: time,
    timers: time,
    random: () => 0.5,
    sinks,
    notices: { groupWaitMs: 0 },
    targets: [{ id: 'a', check: () => ({ status: 'down' }) }],
    ...options,
  });
  monitor.on('fault', ({ error }) => faults.push((error as Error).message));
  await monitor.start();
  return { time, monitor, faults };
}

test('a sink that fails is asked again, later and later, and not for ever', async () => {
  const at: number[] = [];
  const failing: Sink = {
    name: 'failing',
    deliver: () => {
      at.push(time.now());
      throw new Error('no');
    },
  };
  const world = deliver([failing], { deliveryAttempts: 4 });
  const { time, faults } = await world;
  await time.advance(60_000);
  expect(at.slice(1).map((when, index) => Math.round(when - at[index]!))).toEqual([1000, 2000, 4000]);
  expect(faults).toEqual(['no']);
});

test('a sink says how long to wait, or never to come back', async () => {
  const at: number[] = [];
  const answers = [{ retryAfterMs: 20_000 }, { permanent: true }];
  const sink: Sink = {
    name: 'x',
    deliver: () => {
      at.push(time.now());
      return Promise.reject(Object.assign(new Error('busy'), answers[at.length - 1]));
    },
  };
  const { time, faults } = await deliver([sink]);
  await time.advance(120_000);
  expect(at).toHaveLength(2);
  expect(at[1]! - at[0]!).toBe(20_000);
  expect(faults).toEqual(['busy']);
});

test('a sink that hangs is given up after its time, its signal aborts, and others do not wait for it', async () => {
  let aborted = 0;
  const heard: string[] = [];
  const hanging: Sink = {
    name: 'hanging',
    deliver: (_notice, signal) =>
      new Promise(() => {
        signal.addEventListener('abort', () => aborted++);
      }),
  };
  const good: Sink = { name: 'good', deliver: ({ id }) => heard.push(id) };
  const { time, faults, monitor } = await deliver([hanging, good], { deliveryAttempts: 1 });
  await time.advance(5000);
  expect(heard).toHaveLength(1);
  await time.advance(10_000);
  expect(aborted).toBe(1);
  expect(faults).toEqual(['sink hanging took longer than 10000 ms']);
  await monitor.close();
  await settled();
  expect(time.pending).toBe(0);
});

test('a sink for pages hears nothing milder', async () => {
  const heard: string[] = [];
  const sink: Sink = { name: 'pager', minimumSeverity: 'page', deliver: ({ id }) => heard.push(id) };
  const { time, monitor } = await deliver([sink]);
  await time.advance(60_000);
  expect(monitor.alerts).toMatchObject([{ severity: 'critical' }]);
  expect(heard).toEqual([]);
});

test('a delivery that ends after the close changes nothing any more: the next life makes sure', async () => {
  const saved: unknown[] = [];
  let finish: () => void = () => undefined;
  const slow: Sink = { name: 'slow', deliver: () => new Promise<void>((resolve) => (finish = resolve)) };
  const store = { load: () => undefined, save: (alerts: unknown) => saved.push(alerts) };
  const { time, monitor } = await deliver([slow], { store });
  await time.advance(2000);
  await monitor.close();
  const before = saved.length;
  finish();
  await time.advance(1000);
  expect(saved).toHaveLength(before);
  expect(saved.at(-1)).toMatchObject({ notices: { outbox: [{ sinks: ['slow'] }] } });
});
