import { describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { Prober } from './prober.ts';
import { Registry } from './registry.ts';

function setUp() {
  const time = new VirtualTime();
  const { wallClock } = time;
  const registry = new Registry({ clock: time, wallClock, timers: time });
  const sick = new Set<number>();
  const asked: [port: number, atMs: number][] = [];
  const prober = new Prober(registry, {
    timers: time,
    clock: time,
    random: () => 0.5,
    probe: ({ port }) => {
      asked.push([port, time.now()]);
      return sick.has(port) ? Promise.reject(new Error('refused')) : Promise.resolve(true);
    },
  });
  const pass = async (seconds: number) => {
    for (let tenth = 0; tenth < seconds * 10; tenth++) {
      time.advanceSync(100);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  };
  const status = (port: number) =>
    registry.find('user-service', 'any')?.instances.find((instance) => instance.port === port)?.status;
  return { time, registry, sick, asked, prober, pass, status };
}

const users = {
  name: 'user-service',
  host: '127.0.0.1',
  port: 4000,
  healthCheckUrl: 'http://localhost:4000/health',
};

describe('a check', () => {
  test('runs every 10 s, first within one interval, and its answers keep an instance that never beats', async () => {
    const { registry, asked, pass } = setUp();
    registry.register(users);
    await pass(100);
    expect(asked.map(([, atMs]) => Math.round(atMs / 1000))).toEqual([5, 15, 25, 35, 45, 55, 65, 75, 85, 95]);
    expect(registry.size).toBe(1);
  });

  test('three bad answers take it out, two good ones back in; in between it is asked every second', async () => {
    const { registry, sick, asked, pass, status } = setUp();
    registry.register(users);
    await pass(6);
    sick.add(4000);
    await pass(10);
    expect(status(4000)).toBe('up');
    await pass(2);
    expect(status(4000)).toBe('down');
    expect(asked.slice(1).map(([, atMs]) => Math.round(atMs / 1000))).toEqual([15, 16, 17]);
    sick.clear();
    await pass(9.5);
    expect(status(4000)).toBe('down');
    await pass(2);
    expect(status(4000)).toBe('up');
  });

  test('that never answers well leaves the lease to end', async () => {
    const { registry, sick, pass } = setUp();
    sick.add(4000);
    registry.register(users);
    await pass(45);
    expect(registry.size).toBe(0);
  });

  test('goes on where it was when the instance registers again', async () => {
    const { registry, sick, pass, status, asked } = setUp();
    registry.register(users);
    sick.add(4000);
    await pass(8);
    expect(status(4000)).toBe('down');
    registry.register({ ...users, weight: 2 });
    expect(status(4000)).toBe('down');
    sick.clear();
    await pass(20);
    expect(status(4000)).toBe('up');
    expect(new Set(asked.map(([, atMs]) => atMs)).size).toBe(asked.length);
  });

  test('of another process begins anew', async () => {
    const { registry, sick, pass, status } = setUp();
    registry.register({ ...users, incarnation: 'first' });
    sick.add(4000);
    await pass(8);
    registry.register({ ...users, incarnation: 'second' });
    expect(status(4000)).toBe('up');
    await pass(8);
    expect(status(4000)).toBe('down');
  });

  test('keeps its own pace', async () => {
    const { registry, asked, pass } = setUp();
    registry.register({ ...users, check: { type: 'tcp', intervalMs: 2000 } });
    await pass(10);
    expect(asked).toHaveLength(5);
  });
});

test('nobody is asked at a foreign address, where clouds keep secrets, or who did not ask for it', async () => {
  const { registry, asked, prober, pass } = setUp();
  registry.register({ ...users, port: 1, healthCheckUrl: 'http://10.0.0.1:1/health' });
  registry.register({
    ...users,
    port: 2,
    host: '169.254.169.254',
    healthCheckUrl: 'http://169.254.169.254/latest',
  });
  registry.register({ ...users, port: 3, healthCheckUrl: undefined });
  registry.register({ ...users, port: 4, check: { type: 'ttl' } });
  expect(prober.size).toBe(0);
  await pass(30);
  expect(asked).toEqual([]);
});

test('without a pace of its own it looks when it is asked, and says what is to be checked', async () => {
  const time = new VirtualTime();
  const { wallClock } = time;
  const registry = new Registry({ clock: time, wallClock, timers: time });
  let asked = 0;
  const probe = () => Promise.resolve(++asked > 1);
  const prober = new Prober(registry, { timers: time, clock: time, paced: false, probe });
  const check = { type: 'tcp', intervalMs: 1000 } as const;
  registry.register({ ...users, incarnation: 'first', check });
  const identity = { service: users.name, id: '127.0.0.1:4000', incarnation: 'first' };
  time.advanceSync(40_000);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  expect(asked).toBe(0);
  expect(prober.checkOf(identity)).toMatchObject(check);
  expect(prober.checkOf({ ...identity, incarnation: 'second' })).toBeUndefined();
  expect([await prober.ask(identity), await prober.ask(identity)]).toEqual([false, true]);
  registry.deregister({ name: users.name, port: users.port });
  expect(prober.checkOf(identity)).toBeUndefined();
  prober.close();
});

test('one that hangs delays nobody, and who is gone is not asked', async () => {
  const time = new VirtualTime();
  const { wallClock } = time;
  const registry = new Registry({ clock: time, wallClock, timers: time });
  let answered = 0;
  const prober = new Prober(registry, {
    timers: time,
    clock: time,
    random: () => 0.5,
    probe: ({ port }) => (port === 4000 ? new Promise(() => undefined) : Promise.resolve(++answered > 0)),
  });
  for (let port = 4000; port < 4010; port++) {
    registry.register({ ...users, port, healthCheckUrl: `http://127.0.0.1:${port}/` });
  }
  time.advanceSync(5000);
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  expect(answered).toBe(9);
  for (let port = 4000; port < 4010; port++) registry.deregister({ name: users.name, port });
  expect(prober.size).toBe(0);
  prober.close();
  time.advanceSync(60_000);
  expect(answered).toBe(9);
});
