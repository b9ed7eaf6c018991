import { describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import type { Instance } from '@mesh/discovery-client';
import type { Change } from './change-log.ts';
import { Registry } from './registry.ts';
import type { RegistryOptions } from './registry.ts';
import type { RegistrationRequest } from './registration.ts';
import { RegistryError, isRegistryError } from './registry-error.ts';

function setUp(options: RegistryOptions = {}) {
  const time = new VirtualTime();
  const registry = new Registry({
    clock: time,
    wallClock: time.wallClock,
    timers: time,
    random: () => 0.5,
    ...options,
  });
  const changes: Change[] = [];
  registry.subscribe((change) => changes.push(change));
  return { time, registry, changes };
}

const users = { name: 'user-service', host: '127.0.0.1', port: 4000 };

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    return error.code;
  }
}

describe('registering', () => {
  test('fills in the defaults and answers with the lease', () => {
    const { registry } = setUp();
    expect(registry.register(users)).toEqual({
      created: true,
      instance: {
        ...users,
        id: '127.0.0.1:4000',
        weight: 1,
        metadata: {},
        status: 'up',
        heartbeatInterval: 30,
        incarnation: expect.any(String),
        registeredAt: '2026-01-01T00:00:00.000Z',
        lastHeartbeat: '2026-01-01T00:00:00.000Z',
      },
      lease: { durationMs: 45_000, expiresAt: '2026-01-01T00:00:45.000Z' },
      revision: `${registry.epoch}:1`,
    });
  });

  test('the same content again renews, announces nothing and keeps the instances as they are', () => {
    const { registry, changes, time } = setUp();
    const content = {
      ...users,
      metadata: { version: '1', zone: 'a' },
      weight: 2,
      healthCheckUrl: 'http://x/',
    };
    const { revision } = registry.register(content);
    const before = registry.peek(users.name);
    time.advanceSync(30_000);
    const again = registry.register({ ...content, metadata: { zone: 'a', version: '1' } });
    expect(again).toMatchObject({ created: false, revision });
    expect(again.instance.lastHeartbeat).toBe('2026-01-01T00:00:30.000Z');
    expect(changes).toHaveLength(1);
    expect(registry.peek(users.name)).toBe(before);
    time.advanceSync(44_999);
    expect(registry.size).toBe(1);
  });

  test.each<[string, Partial<RegistrationRequest>]>([
    ['weight', { weight: 3 }],
    ['metadata', { metadata: { version: '2' } }],
    ['heartbeatInterval', { heartbeatInterval: 10 }],
    ['healthCheckUrl', { healthCheckUrl: 'http://127.0.0.1:4000/health' }],
    ['incarnation', { incarnation: 'second' }],
  ])('another %s is one change', (_, difference) => {
    const { registry, changes } = setUp();
    registry.register(users);
    const before = registry.peek(users.name);
    const { created, revision } = registry.register({ ...users, ...difference });
    expect({ created, revision }).toEqual({ created: false, revision: `${registry.epoch}:2` });
    expect(changes.map(({ type }) => type)).toEqual(['upsert', 'upsert']);
    expect(registry.peek(users.name)).not.toBe(before);
    expect(registry.find(users.name)?.instances).toMatchObject([difference]);
  });

  test('an absent field is its default again', () => {
    const { registry } = setUp();
    registry.register({ ...users, weight: 5, healthCheckUrl: 'http://x/', metadata: { a: '1' } });
    const { instance } = registry.register(users);
    expect(instance).toMatchObject({ weight: 1, metadata: {} });
    expect(instance).not.toHaveProperty('healthCheckUrl');
  });

  test('an address is taken over from another name or id, announced as replaced', () => {
    const { registry, changes } = setUp();
    registry.register({ ...users, id: 'a' });
    registry.register({ ...users, id: 'b' });
    registry.register({ ...users, name: 'order-service' });
    expect(changes).toMatchObject([
      { type: 'upsert', instance: { id: 'a' } },
      { type: 'remove', name: 'user-service', id: 'a', reason: 'replaced' },
      { type: 'upsert', instance: { id: 'b' } },
      { type: 'remove', name: 'user-service', id: 'b', reason: 'replaced' },
      { type: 'upsert', name: 'order-service' },
    ]);
    expect(registry.list().map(({ name }) => name)).toEqual(['order-service']);
  });

  test('localhost, ::1 and 127.0.0.1 are one address', () => {
    const { registry } = setUp();
    registry.register({ ...users, host: 'localhost', id: 'a' });
    registry.register({ ...users, host: '[::1]', id: 'b' });
    expect(registry.instances().map(({ id }) => id)).toEqual(['b']);
    expect(registry.heartbeat(users).lease.durationMs).toBe(45_000);
  });

  test('an instance that moves frees the address it had', () => {
    const { registry, changes } = setUp();
    registry.register({ ...users, id: 'a' });
    registry.register({ ...users, id: 'a', port: 4001 });
    registry.register({ ...users, id: 'b' });
    expect(changes.map(({ type }) => type)).toEqual(['upsert', 'upsert', 'upsert']);
    expect(registry.instances().map(({ id, port }) => [id, port])).toEqual([
      ['a', 4001],
      ['b', 4000],
    ]);
  });

  test('a full registry refuses a new instance, and neither a renewal nor a takeover', () => {
    const { registry, time } = setUp({ maximumInstances: 2 });
    registry.register(users);
    registry.register({ ...users, port: 4001 });
    expect(codeOf(() => registry.register({ ...users, port: 4002 }))).toBe('ERR_UNAVAILABLE');
    expect(registry.register(users).created).toBe(false);
    expect(registry.register({ ...users, id: 'other' }).created).toBe(true);
    time.advanceSync(45_000);
    expect(registry.register({ ...users, port: 4002 }).created).toBe(true);
  });
});

describe('incarnations', () => {
  const first = { ...users, incarnation: 'first' };
  const second = { ...users, incarnation: 'second' };

  test('a process that was replaced can neither beat, register nor leave', () => {
    const { registry } = setUp();
    registry.register(first);
    registry.register(second);
    expect(codeOf(() => registry.heartbeat(first))).toBe('ERR_INCARNATION_STALE');
    expect(codeOf(() => registry.register(first))).toBe('ERR_INCARNATION_STALE');
    expect(codeOf(() => registry.deregister(first))).toBe('ERR_INCARNATION_STALE');
    expect(codeOf(() => registry.heartbeat(second))).toBeUndefined();
  });

  test('also when it had another name or id', () => {
    const { registry } = setUp();
    const other = { ...first, name: 'order-service', id: 'orders' };
    registry.register(other);
    registry.register(second);
    expect(codeOf(() => registry.heartbeat(other))).toBe('ERR_INCARNATION_STALE');
    expect(codeOf(() => registry.register(other))).toBe('ERR_INCARNATION_STALE');
    registry.register({ ...users, incarnation: 'third', name: 'payment-service' });
    expect(codeOf(() => registry.heartbeat(other))).toBe('ERR_INCARNATION_STALE');
  });

  test('one that was never here is asked to register', () => {
    const { registry } = setUp();
    registry.register(first);
    expect(codeOf(() => registry.heartbeat(second))).toBe('ERR_INSTANCE_UNKNOWN');
  });

  test('a caller without one renews whoever is there, under the incarnation that is there', () => {
    const { registry } = setUp();
    registry.register(first);
    expect(codeOf(() => registry.heartbeat(users))).toBeUndefined();
    expect(registry.register(users).instance.incarnation).toBe('first');
  });

  test('a new process is registered anew, a renewal is not', () => {
    const { registry, time } = setUp();
    const { instance } = registry.register(first);
    time.advanceSync(1000);
    expect(registry.register({ ...first, weight: 2 }).instance.registeredAt).toBe(instance.registeredAt);
    expect(registry.register(second).instance.registeredAt).not.toBe(instance.registeredAt);
  });

  test('only the last few are remembered', () => {
    const { registry } = setUp();
    for (let n = 0; n < 20; n++) registry.register({ ...users, incarnation: `n${n}` });
    expect(codeOf(() => registry.heartbeat({ ...users, incarnation: 'n11' }))).toBe('ERR_INCARNATION_STALE');
    expect(codeOf(() => registry.heartbeat({ ...users, incarnation: 'n10' }))).toBe('ERR_INSTANCE_UNKNOWN');
  });
});

describe('heartbeats', () => {
  test('are unknown before and after the instance is', () => {
    const { registry, time } = setUp();
    expect(codeOf(() => registry.heartbeat(users))).toBe('ERR_INSTANCE_UNKNOWN');
    registry.register(users);
    expect(codeOf(() => registry.heartbeat({ ...users, name: 'other' }))).toBe('ERR_INSTANCE_UNKNOWN');
    expect(codeOf(() => registry.heartbeat({ ...users, id: 'other' }))).toBe('ERR_INSTANCE_UNKNOWN');
    expect(codeOf(() => registry.heartbeat({ ...users, host: '10.0.0.1' }))).toBe('ERR_INSTANCE_UNKNOWN');
    time.advanceSync(45_000);
    expect(codeOf(() => registry.heartbeat(users))).toBe('ERR_INSTANCE_UNKNOWN');
  });

  test('by id come from anywhere, for the port they registered', () => {
    const { registry } = setUp();
    registry.register({ ...users, host: 'users.internal', id: 'a' });
    expect(codeOf(() => registry.heartbeat({ ...users, host: '10.0.0.1', id: 'a' }))).toBeUndefined();
    expect(codeOf(() => registry.heartbeat({ ...users, port: 1, id: 'a' }))).toBe('ERR_INSTANCE_UNKNOWN');
  });

  test('may change the interval, and with it the lease', () => {
    const { registry, changes, time } = setUp();
    registry.register(users);
    expect(registry.heartbeat({ ...users, heartbeatInterval: 2 }).lease.durationMs).toBe(3000);
    expect(changes).toMatchObject([{}, { type: 'upsert', instance: { heartbeatInterval: 2 } }]);
    time.advanceSync(2999);
    expect(registry.size).toBe(1);
    time.advanceSync(1);
    expect(changes).toHaveLength(3);
  });

  test('change what is listed and not what is watched', () => {
    const { registry, changes, time } = setUp();
    registry.register(users);
    const watched = registry.peek(users.name);
    time.advanceSync(20_000);
    registry.heartbeat(users);
    expect(registry.find(users.name)?.instances[0]?.lastHeartbeat).toBe('2026-01-01T00:00:20.000Z');
    expect(registry.peek(users.name)).toBe(watched);
    expect(changes).toHaveLength(1);
  });
});

describe('leaving', () => {
  test('removes at once and answers with the instance', () => {
    const { registry, changes } = setUp();
    registry.register(users);
    expect(registry.deregister(users)).toMatchObject(users);
    expect(registry.find(users.name)).toBeUndefined();
    expect(registry.peek(users.name)).toBeUndefined();
    expect(changes.at(-1)).toMatchObject({ type: 'remove', reason: 'deregistered' });
    expect(codeOf(() => registry.deregister(users))).toBe('ERR_INSTANCE_UNKNOWN');
  });

  test('asks which one where a port alone does not say', () => {
    const { registry } = setUp();
    registry.register({ ...users, host: '10.0.0.1' });
    registry.register({ ...users, host: '10.0.0.2', id: 'second' });
    const { name, port } = users;
    expect(codeOf(() => registry.deregister({ name, port }))).toBe('ERR_INSTANCE_AMBIGUOUS');
    expect(registry.deregister({ name, port, id: 'second' }).host).toBe('10.0.0.2');
    expect(registry.deregister({ name, port, host: '10.0.0.1' }).host).toBe('10.0.0.1');
  });
});

describe('leases', () => {
  test('end at exactly one and a half intervals, whether or not a timer ran', () => {
    const { registry, time, changes } = setUp();
    registry.register({ ...users, heartbeatInterval: 0.1 });
    time.stall(149);
    expect(registry.find(users.name)?.instances).toHaveLength(1);
    time.stall(1);
    expect(registry.find(users.name)).toBeUndefined();
    expect(changes.at(-1)).toMatchObject({ reason: 'expired' });
  });

  test('that end are announced without anybody asking', () => {
    const { registry, time, changes } = setUp();
    registry.register({ ...users, heartbeatInterval: 1 });
    time.advanceSync(1499);
    expect(changes).toHaveLength(1);
    time.advanceSync(1);
    expect(changes).toHaveLength(2);
    expect(time.pending).toBe(0);
  });

  test('a minute of standing still removes nobody who was alive', () => {
    const { registry, time } = setUp();
    registry.register(users);
    time.advanceSync(30_000);
    time.stall(60_000);
    expect(registry.size).toBe(1);
    time.advanceSync(14_000);
    expect(registry.size).toBe(1);
    time.advanceSync(1000);
    expect(registry.size).toBe(0);
  });

  test('the wall clock does not matter', () => {
    let wallMs = Date.UTC(2026, 0, 1);
    const { registry, time } = setUp({ wallClock: { now: () => wallMs } });
    registry.register(users);
    wallMs += 3_600_000;
    time.advanceSync(44_999);
    expect(registry.size).toBe(1);
    wallMs -= 7_200_000;
    time.advanceSync(1);
    expect(registry.size).toBe(0);
  });

  test('no lease, no timer; closed, no timer', () => {
    const { registry, time } = setUp();
    expect(time.pending).toBe(0);
    registry.register(users);
    expect(time.pending).toBe(1);
    registry[Symbol.dispose]();
    expect(time.pending).toBe(0);
    registry.register({ ...users, port: 4001, heartbeatInterval: 0.05 });
    expect(time.pending).toBe(0);
  });
});

describe('within a process', () => {
  test('callers share one frozen list until something changes', async () => {
    const { registry } = setUp();
    registry.register(users);
    const resolution = registry.peek(users.name);
    expect(await registry.resolve(users.name)).toBe(resolution);
    expect(resolution).toMatchObject({ ageMs: 0, source: 'fresh', revision: registry.revision });
    expect(Object.isFrozen(resolution?.instances)).toBe(true);
    expect(Object.isFrozen(resolution?.instances[0])).toBe(true);
    expect(Object.isFrozen(resolution?.instances[0]?.metadata)).toBe(true);
    registry.register({ ...users, name: 'order-service', port: 5000 });
    expect(registry.peek(users.name)).toBe(resolution);
  });

  test('nobody is an empty list', async () => {
    const { registry } = setUp();
    expect(registry.peek('constructor')).toBeUndefined();
    expect((await registry.resolve('nobody')).instances).toBe((await registry.resolve('none')).instances);
  });

  test('an observer that throws hurts nobody, and unsubscribing is exact', () => {
    const { registry } = setUp();
    const seen: number[] = [];
    const listener = (change: Change) => seen.push(change.revision);
    registry.subscribe(() => {
      throw new Error('observer');
    });
    const [end] = [registry.subscribe(listener), registry.subscribe(listener)];
    registry.register(users);
    end();
    end();
    registry.deregister(users);
    expect(seen).toEqual([1, 1, 2]);
  });
});

test.each([
  [{ maximumInstances: 0 }, /registry: maximumInstances must be an integer from 1 to 10000000, got 0/],
  [{ maximumInstances: Number.NaN }, /got NaN/],
  [{ changeLogSize: 1.5 }, /registry: changeLogSize must be an integer/],
])('%j is refused by name', (options, message) => {
  expect(() => new Registry(options)).toThrow(RangeError);
  expect(() => new Registry(options)).toThrow(message);
});

test('errors are known by their code, and others are not', () => {
  expect(isRegistryError(new RegistryError('ERR_INSTANCE_UNKNOWN', 'gone'))).toBe(true);
  expect(isRegistryError(Object.assign(new Error('x'), { code: 'ERR_INSTANCE_UNKNOWN' }))).toBe(false);
  expect(isRegistryError({ name: 'RegistryError', code: 'ERR_INSTANCE_UNKNOWN' })).toBe(false);
});

/** The registry as one would first write it: a list, searched and filtered every time. */
class NaiveRegistry {
  entries: { name: string; id: string; port: number; weight: number; interval: number; last: number }[] = [];
  changes: string[] = [];

  expire(now: number): void {
    const isOver = (entry: (typeof this.entries)[number]) => now >= entry.last + entry.interval * 1500;
    const over = this.entries.filter(isOver);
    over.sort((a, b) => a.last + a.interval * 1500 - (b.last + b.interval * 1500));
    for (const { name, id, last, interval } of over) {
      this.changes.push(`- ${name} ${id} expired at ${last + interval * 1500}`);
    }
    this.entries = this.entries.filter((entry) => !isOver(entry));
  }

  register(now: number, name: string, id: string, port: number, weight: number, interval: number): void {
    const known = this.entries.find((entry) => entry.name === name && entry.id === id);
    const holder = this.entries.find((entry) => entry.port === port);
    if (holder !== undefined && holder !== known) {
      this.entries = this.entries.filter((entry) => entry !== holder);
      this.changes.push(`- ${holder.name} ${holder.id} replaced`);
    }
    const isSame = known?.port === port && known.weight === weight && known.interval === interval;
    if (!isSame) this.changes.push(`+ ${name} ${id}`);
    if (known === undefined) this.entries.push({ name, id, port, weight, interval, last: now });
    else Object.assign(known, { port, weight, interval, last: now });
  }

  heartbeat(now: number, name: string, id: string, port: number): boolean {
    const known = this.entries.find((entry) => entry.name === name && entry.id === id && entry.port === port);
    if (known !== undefined) known.last = now;
    return known !== undefined;
  }

  deregister(name: string, id: string, port: number): boolean {
    const known = this.entries.find((entry) => entry.name === name && entry.id === id && entry.port === port);
    this.entries = this.entries.filter((entry) => entry !== known);
    if (known !== undefined) this.changes.push(`- ${name} ${id} deregistered`);
    return known !== undefined;
  }

  list(): unknown[] {
    return this.entries.map(({ name, id, port, weight }) => [name, id, port, weight]).sort();
  }
}

const who = {
  name: fc.constantFrom('a', 'b'),
  id: fc.constantFrom('x', 'y', 'z'),
  port: fc.integer({ min: 1, max: 4 }),
};
const command = fc.oneof(
  fc.record({
    kind: fc.constant('register' as const),
    ...who,
    weight: fc.constantFrom(1, 2),
    interval: fc.constantFrom(0.1, 1, 7),
  }),
  fc.record({ kind: fc.constant('heartbeat' as const), ...who }),
  fc.record({ kind: fc.constant('deregister' as const), ...who }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.oneof(fc.nat(300), fc.nat(12_000)) }),
);

function describeChange(change: Change, nowMs: number): string {
  if (change.type === 'upsert') return `+ ${change.name} ${change.instance.id}`;
  const when = change.reason === 'expired' ? ` at ${nowMs}` : '';
  return `- ${change.name} ${change.id} ${change.reason}${when}`;
}

/** Leases that end in the same millisecond may end in any order. */
function sortTies(changes: readonly string[]): string[][] {
  const groups: string[][] = [];
  const moment = (change: string | undefined) => change?.match(/ expired at .*/)?.[0];
  for (const change of changes) {
    const last = groups.at(-1);
    if (last !== undefined && moment(change) !== undefined && moment(last[0]) === moment(change)) {
      last.push(change);
      last.sort();
    } else groups.push([change]);
  }
  return groups;
}

function listOf(instances: readonly Instance[]): unknown[] {
  return instances.map(({ name, id, port, weight }) => [name, id, port, weight]).sort();
}

test('any sequence of events gives what the naive registry gives, change by change', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const { registry, time, changes } = setUp();
      const described: string[] = [];
      registry.subscribe((change) => described.push(describeChange(change, time.now())));
      const model = new NaiveRegistry();
      const host = '10.0.0.1';
      for (const one of commands) {
        if (one.kind === 'advance') {
          time.advanceSync(one.ms);
          model.expire(time.now());
        } else if (one.kind === 'register') {
          const { name, id, port, weight, interval } = one;
          registry.register({ name, id, port, host, weight, heartbeatInterval: interval });
          model.register(time.now(), name, id, port, weight, interval);
        } else {
          const expected =
            one.kind === 'heartbeat'
              ? model.heartbeat(time.now(), one.name, one.id, one.port)
              : model.deregister(one.name, one.id, one.port);
          expect(codeOf(() => registry[one.kind]({ ...one, host }))).toBe(
            expected ? undefined : 'ERR_INSTANCE_UNKNOWN',
          );
        }
        expect(listOf(registry.instances())).toEqual(model.list());
        expect(registry.size).toBe(model.entries.length);
        expect(registry.serviceCount).toBe(new Set(model.entries.map(({ name }) => name)).size);
      }
      expect(sortTies(described)).toEqual(sortTies(model.changes));
      expect(changes.map(({ revision }) => revision)).toEqual(changes.map((_, index) => index + 1));
      expect(registry.revision).toBe(`${registry.epoch}:${changes.length}`);
    }),
    { numRuns: 400 },
  );
});

test('the feed alone rebuilds the registry at any moment', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const { registry, time } = setUp();
      const replica = new Map<string, Instance>();
      registry.subscribe((change) => {
        if (change.type === 'upsert') replica.set(`${change.name}/${change.instance.id}`, change.instance);
        else expect(replica.delete(`${change.name}/${change.id}`)).toBe(true);
        expect(listOf(registry.instances())).toEqual(listOf([...replica.values()]));
      });
      for (const one of commands) {
        if (one.kind === 'advance') time.advanceSync(one.ms);
        else if (one.kind === 'register') registry.register({ ...one, host: '10.0.0.1' });
        else codeOf(() => registry[one.kind]({ ...one, host: '10.0.0.1' }));
      }
      expect(listOf(registry.instances())).toEqual(listOf([...replica.values()]));
    }),
  );
});

test('whatever stalls there are, who beats in time stays and who is dead goes in bounded time', () => {
  const pauses = fc.array(fc.record({ run: fc.nat(2000), stall: fc.nat(20_000) }), { maxLength: 20 });
  fc.assert(
    fc.property(pauses, fc.constantFrom(1, 3, 10), (steps, heartbeatInterval) => {
      const { registry, time } = setUp();
      const living = { ...users, port: 1, heartbeatInterval };
      const dead = { ...users, port: 2, heartbeatInterval };
      const startMs = time.now();
      registry.register(living);
      registry.register(dead);
      const isListed = (port: number) => registry.instances().some((instance) => instance.port === port);
      let [lastBeatMs, stalledMs] = [time.now(), 0];
      for (const { run, stall } of steps) {
        const untilMs = time.now() + run;
        while (lastBeatMs + heartbeatInterval * 1000 <= untilMs) {
          time.advanceSync(Math.max(0, lastBeatMs + heartbeatInterval * 1000 - time.now()));
          registry.heartbeat(living);
          lastBeatMs = time.now();
        }
        time.advanceSync(untilMs - time.now());
        time.stall(stall);
        stalledMs += stall;
        expect(isListed(1)).toBe(true);
        const age = time.now() - startMs;
        if (age < heartbeatInterval * 1500) expect(isListed(2)).toBe(true);
        if (age - stalledMs >= heartbeatInterval * 1500) expect(isListed(2)).toBe(false);
      }
    }),
    { numRuns: 200 },
  );
});
