import { describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { Guardian } from './guardian.ts';
import type { GuardianOptions } from './guardian.ts';
import type { Reach } from './reach.ts';
import { Registry } from './registry.ts';

/** What the addresses of a world answer; whoever is not in it does not answer. */
function setUp(options: Partial<GuardianOptions> = {}) {
  const time = new VirtualTime();
  const { wallClock } = time;
  const registry = new Registry({ clock: time, wallClock, timers: time, random: () => 0.5 });
  const world = new Map<number, Reach>();
  const tried: number[] = [];
  const reach = ({ port }: { port: number }): Promise<Reach> => {
    tried.push(port);
    return Promise.resolve(world.get(port) ?? 'silent');
  };
  const guardian = new Guardian(registry, { reach, timers: time, ...options });
  const register = (port: number, name = 'user-service') => {
    world.set(port, 'answered');
    registry.register({ name, host: '127.0.0.1', port, heartbeatInterval: 10 });
  };
  const beat = (port: number, name = 'user-service') => registry.heartbeat({ name, host: '127.0.0.1', port });
  /** Moves on second by second, while promises run and those in `alive` beat every 10 s, each at its own moment. */
  const pass = async (seconds: number, alive: readonly number[] = []) => {
    for (let second = 0; second < seconds; second++) {
      const at = Math.round(time.now() / 1000);
      for (const port of alive) if (at % 10 === port % 10) beat(port);
      time.advanceSync(1000);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  };
  const listed = () => registry.peek('user-service')?.instances.map(({ port }) => port) ?? [];
  const all = () => registry.find('user-service', 'any')?.instances ?? [];
  return { time, registry, world, tried, guardian, register, beat, pass, listed, all };
}

const identityOf = (registry: Registry, port: number) => {
  const { id, incarnation } = registry
    .find('user-service', 'any')!
    .instances.find((instance) => instance.port === port)!;
  return { service: 'user-service', id, incarnation };
};

const ports = (count: number) => Array.from({ length: count }, (_, n) => 4000 + n);

describe('a lease that ends', () => {
  test('of a dead process: gone at once', async () => {
    const { register, world, pass, all, registry } = setUp();
    for (const port of ports(3)) register(port);
    world.set(4000, 'refused');
    const reasons: unknown[] = [];
    registry.subscribe((change) => change.type === 'remove' && reasons.push(change.reason));
    await pass(15, [4001, 4002]);
    expect(all().map(({ port }) => port)).toEqual([4001, 4002]);
    expect(reasons).toEqual(['expired']);
  });

  test('of a silent one: hidden for as long again, then gone', async () => {
    const { register, world, pass, all, listed } = setUp();
    for (const port of ports(3)) register(port);
    world.set(4000, 'silent');
    await pass(15, [4001, 4002]);
    expect(listed()).toEqual([4001, 4002]);
    expect(all()[0]).toMatchObject({ port: 4000, status: 'suspect' });
    await pass(14, [4001, 4002]);
    expect(all()).toHaveLength(3);
    await pass(2, [4001, 4002]);
    expect(all()).toHaveLength(2);
  });

  test('of one that beats again while it is suspect: listed again', async () => {
    const { register, pass, beat, listed } = setUp();
    for (const port of ports(3)) register(port);
    await pass(16, [4001, 4002]);
    expect(listed()).toEqual([4001, 4002]);
    beat(4000);
    expect(listed()).toEqual([4000, 4001, 4002]);
  });

  test('a hung process whose kernel still takes connections is hidden, for it may never answer', async () => {
    const { register, pass, listed } = setUp();
    for (const port of ports(3)) register(port);
    await pass(16, [4001, 4002]);
    expect(listed()).toEqual([4001, 4002]);
  });

  test('one whose own check says that it is well stays', async () => {
    const { register, pass, listed } = setUp({ ask: () => Promise.resolve(true) });
    for (const port of ports(3)) register(port);
    await pass(100, [4001, 4002]);
    expect(listed()).toEqual([4000, 4001, 4002]);
  });
});

describe('many leases that end together', () => {
  test('half of a service out of reach: nobody living is removed, and protection ends when they are back', async () => {
    const events: unknown[] = [];
    const { register, world, pass, listed, all, guardian } = setUp({
      onProtection: (service, isActive) => events.push([service, isActive]),
    });
    for (const port of ports(20)) register(port);
    await pass(30, ports(20));
    const near = ports(10);
    for (const port of ports(20).slice(10)) world.set(port, 'silent');
    await pass(120, near);
    expect(listed()).toHaveLength(20);
    expect(all().filter((instance) => instance.protected)).toHaveLength(10);
    expect(guardian.protectedServices).toEqual(['user-service']);
    await pass(40, ports(20));
    expect(all().filter((instance) => instance.protected)).toEqual([]);
    // It is looked at again with the next lease that ends.
    world.set(4000, 'refused');
    await pass(20, ports(20).slice(1));
    expect(guardian.isProtecting).toBe(false);
    expect(events).toEqual(
      expect.arrayContaining([
        ['user-service', true],
        ['user-service', false],
      ]),
    );
  });

  test('half of a service killed: all of them removed although it is protected', async () => {
    const { register, world, pass, all } = setUp();
    for (const port of ports(20)) register(port);
    await pass(30, ports(20));
    for (const port of ports(20).slice(10)) world.set(port, 'refused');
    await pass(16, ports(10));
    expect(all().map(({ port }) => port)).toEqual(ports(10));
  });

  test('protection is bounded: who never comes back goes in the end, a few at a time', async () => {
    const { register, world, pass, all } = setUp({ protection: { maximumMs: 60_000 } });
    for (const port of ports(20)) register(port);
    await pass(30, ports(20));
    for (const port of ports(20).slice(10)) world.set(port, 'silent');
    await pass(60, ports(10));
    expect(all()).toHaveLength(20);
    await pass(30, ports(10));
    expect(all().length).toBeGreaterThan(10);
    await pass(120, ports(10));
    expect(all().map(({ port }) => port)).toEqual(ports(10));
  });

  test('many services that lose one instance each are one loss of the registry', async () => {
    const { register, beat, pass, registry, guardian, time } = setUp();
    const names = Array.from({ length: 10 }, (_, n) => `service-${n}`);
    names.forEach((name, n) => {
      register(5000 + n, name);
    });
    for (let second = 0; second < 40; second++) {
      if (second % 5 === 0) names.slice(0, 5).forEach((name, n) => beat(5000 + n, name));
      await pass(1);
    }
    expect(time.now()).toBe(40_000);
    expect(guardian.isProtecting).toBe(true);
    expect(registry.size).toBe(10);
  });
});

describe('a session that breaks', () => {
  const lose = async (reach: Reach, isBack = false) => {
    const world = setUp();
    for (const port of ports(10)) world.register(port);
    world.world.set(4000, reach);
    void world.guardian.sessionLost(identityOf(world.registry, 4000), () => isBack);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    return world;
  };

  test('and nobody listens: removed at once', async () => {
    const { registry, listed } = await lose('refused');
    expect(listed()).toEqual(ports(10).slice(1));
    expect(registry.size).toBe(9);
  });

  test('and somebody does: only the link is dead', async () => {
    const { listed, pass, tried } = await lose('answered');
    await pass(9);
    expect(listed()).toEqual(ports(10));
    expect(tried.length).toBeLessThan(10);
  });

  test('while the kernel still takes connections for the process that dies: removed with the next look (45 s late before)', async () => {
    const { listed, pass, world } = await lose('answered');
    world.set(4000, 'refused');
    await pass(1);
    expect(listed()).toEqual(ports(10).slice(1));
  });

  test('and nothing comes back: hidden until it beats', async () => {
    const { listed, beat } = await lose('silent');
    expect(listed()).toEqual(ports(10).slice(1));
    beat(4000);
    expect(listed()).toEqual(ports(10));
  });

  test('and is opened again before the address answered: nothing', async () => {
    expect((await lose('refused', true)).listed()).toEqual(ports(10));
  });

  test('of a process that was replaced meanwhile: nothing happens to its successor', async () => {
    const { registry, register, guardian, world, listed } = setUp();
    register(4000);
    const former = identityOf(registry, 4000);
    registry.register({ name: 'user-service', host: '127.0.0.1', port: 4000, incarnation: 'next' });
    world.set(4000, 'refused');
    await guardian.sessionLost(former, () => false);
    expect(listed()).toEqual([4000]);
  });
});

test('closed, leases end as they do without it', async () => {
  const { register, guardian, pass, registry, tried } = setUp();
  register(4000);
  guardian.close();
  await pass(15);
  expect(registry.size).toBe(0);
  expect(tried).toEqual([]);
});
