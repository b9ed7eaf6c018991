import { describe, expect, test } from '@jest/globals';
import { runSeed } from './testing/simulation/faults.ts';
import { Simulation } from './testing/simulation/simulation.ts';
import type { MeshShape } from './testing/simulation/simulation.ts';
import type { SimProcess } from './testing/simulation/sim-process.ts';

const seeds = 1000;

/** A mesh in which everybody knows everybody. */
async function settled(shape: MeshShape): Promise<Simulation> {
  const world = new Simulation(shape);
  await world.run(5000);
  expect(world.differences()).toEqual([]);
  return world;
}

function listed(watcher: SimProcess, name = 'users'): number {
  return watcher.client.peek(name)?.instances.length ?? 0;
}

test(`${seeds} seeds of every kind of trouble: no violation`, async () => {
  const bad: unknown[] = [];
  let [samples, events] = [0, 0];
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = await runSeed(seed);
    samples += outcome.samples;
    events += outcome.events;
    if (outcome.violations.length > 0) bad.push(outcome);
  }
  expect(bad.slice(0, 3)).toEqual([]);
  expect(samples).toBeGreaterThan(seeds * 100);
  expect(events).toBeGreaterThan(seeds * 10);
}, 120_000);

test('a seed is a seed: the same run twice', async () => {
  expect(await runSeed(7)).toEqual(await runSeed(7));
});

describe('what the simulation would find', () => {
  test('a living instance that is not listed', async () => {
    const world = await settled({ seed: 1 });
    world.registry.registry.override('users', '10.0.0.1:4000', { status: 'maintenance' });
    await world.run(10_000);
    expect(world.violations.some((violation) => violation.startsWith('missing: 10.0.0.1 (users)'))).toBe(
      true,
    );
  });

  test('a dead instance that something keeps alive', async () => {
    const world = await settled({ seed: 2 });
    const victim = world.processes[0]!;
    const { instance } = victim.registration!;
    victim.kill();
    for (let count = 0; count < 20; count++) {
      world.registry.registry.register({ ...instance });
      await world.run(500);
    }
    expect(world.violations.some((violation) => violation.startsWith('served: 10.0.0.1 (users)'))).toBe(true);
  });

  test.each([
    ['lost', (): string => '', /due were \d+/],
    ['told twice', (text: string): string => text + text, /upsert (\d+) after \1/],
  ])('an event that is %s', async (_, spoil, violation) => {
    const world = await settled({ seed: 3 });
    world.network.spoil = (text) => (text.includes('event: upsert') ? spoil(text) : text);
    world.join('users');
    await world.run(12_000);
    expect(world.audit.violations.join('\n')).toMatch(violation);
  });

  test('an event that is lost is missed by the clients, too: the set hash tells them, and they ask', async () => {
    const world = await settled({ seed: 4 });
    let isSpoilt = false;
    world.network.spoil = (text) => {
      if (isSpoilt || !text.includes('event: upsert')) return text;
      isSpoilt = true;
      return '';
    };
    world.join('users');
    await world.run(2000);
    world.network.spoil = undefined;
    world.join('users');
    await world.run(5000);
    expect(isSpoilt).toBe(true);
    expect(world.differences()).toEqual([]);
  });
});

describe('what is promised', () => {
  test('kill -9 with a session: gone from every watching client within 100 ms', async () => {
    const world = await settled({ seed: 5, instances: 10, watchers: 5 });
    world.living('users')[0]?.kill();
    await world.run(100);
    expect(world.watchers.map((watcher) => listed(watcher))).toEqual([9, 9, 9, 9, 9]);
  });

  test('kill -9 without a session: gone 1.5 intervals after its last heartbeat, within 50 ms', async () => {
    const world = await settled({ seed: 5, instances: 10, watchers: 5, session: false });
    const victim = world.living('users')[0]!;
    victim.kill();
    const { incarnation } = victim;
    const lists = world.registry.registry.service('users')!.describe('listed');
    const lastBeat = Date.parse(lists.find((one) => one.incarnation === incarnation)!.lastHeartbeat);
    while (world.watchers.some((watcher) => listed(watcher) === 10)) await world.run(10);
    const sinceMs = world.time.now() - (lastBeat - Date.UTC(2026, 0, 1));
    expect(sinceMs).toBeGreaterThanOrEqual(6000);
    expect(sinceMs).toBeLessThanOrEqual(6050);
  });

  test('half of the instances cut off: not one of them is removed, however long it takes, and nothing is held up after', async () => {
    const world = await settled({ seed: 6, instances: 10, watchers: 3 });
    const cut = world.processes.filter((_, index) => index % 2 === 0);
    for (const process of cut) world.cut(process);
    for (let count = 0; count < 20; count++) {
      await world.run(1000);
      expect(world.watchers.map((watcher) => listed(watcher))).toEqual([10, 10, 10]);
    }
    for (const process of cut) world.heal(process);
    await world.run(30_000);
    expect([...world.violations, ...world.differences()]).toEqual([]);
  });

  test('half of them killed at once: all gone within 2 s, protection or not', async () => {
    const world = await settled({ seed: 7, instances: 10, watchers: 3 });
    world.processes.forEach((process, index) => {
      if (index % 2 === 0) process.kill();
    });
    await world.run(2000);
    expect(world.differences()).toEqual([]);
  });

  test('the registry stands still for a minute: nobody is removed, nobody is missing, every lookup has an answer', async () => {
    const world = await settled({ seed: 8, instances: 5 });
    world.pause(true);
    await world.run(60_000);
    expect(world.watchers.map((watcher) => listed(watcher))).toEqual([5, 5]);
    world.pause(false);
    await world.run(30_000);
    expect([...world.violations, ...world.differences()]).toEqual([]);
  });

  test.each([-3600_000, 3600_000])('the wall clock jumps by %d ms: nothing happens at all', async (ms) => {
    const world = await settled({ seed: 9 });
    const { revision } = world.registry.registry;
    world.jump(ms);
    await world.run(30_000);
    expect([...world.violations, ...world.differences()]).toEqual([]);
    expect(world.registry.registry.revision).toBe(revision);
  });

  test('the registry is killed and comes back without a memory: 0 of the lookups of 100 clients fail, nobody is missing', async () => {
    const world = await settled({ seed: 10, instances: 10, watchers: 100 });
    const before = world.lookups;
    world.restart(10_000);
    await world.run(10_000);
    expect(world.watchers.every((watcher) => listed(watcher) === 10)).toBe(true);
    await world.run(40_000);
    expect(world.lookups - before).toBe(100 * 100 * 2);
    expect(world.failedLookups).toBe(0);
    expect([...world.violations, ...world.differences()]).toEqual([]);
  });
});
