import { describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { combineHash, emptyHash, formatHash, instanceHash } from '@mesh/discovery-client';
import type { Instance } from '@mesh/discovery-client';
import fc from 'fast-check';
import type { Change } from './change-log.ts';
import { Registry } from './registry.ts';
import { isRegistryError } from './registry-error.ts';
import { encodeChange } from './server-sent-event.ts';
import type { View } from './service-entry.ts';
import { Replica } from './testing/replica.ts';
import type { StoredInstance } from './stored-instance.ts';

/** What a reader who knows nothing but the rules would keep of an instance. */
interface Known {
  readonly service: string;
  readonly id: string;
  readonly port: number;
  incarnation: string;
  weight: number;
  interval: number;
  healthy: boolean;
  draining: boolean;
  down: boolean;
  dueMs: number;
}

type Command =
  | {
      type: 'register';
      name: number;
      port: number;
      run: number;
      weight: number;
      interval: number;
      healthy: boolean;
    }
  | { type: 'beat'; name: number; port: number; run: number; healthy: boolean | undefined }
  | { type: 'leave'; name: number; port: number }
  | { type: 'pass'; ms: number }
  | { type: 'mark'; name: number; port: number; run: number; mark: 'down' | 'draining'; isSet: boolean }
  | {
      type: 'override';
      name: number;
      port: number;
      status: 'draining' | 'maintenance' | null;
      weight: number | null;
    };

const name = fc.integer({ min: 0, max: 2 });
const port = fc.integer({ min: 1, max: 3 });
const run = fc.integer({ min: 0, max: 2 });

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('register' as const),
      name,
      port,
      run,
      weight: fc.integer({ min: 1, max: 3 }),
      interval: fc.integer({ min: 1, max: 3 }),
      healthy: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('beat' as const),
      name,
      port,
      run,
      healthy: fc.constantFrom(true, false, undefined),
    }),
  },
  fc.record({ type: fc.constant('leave' as const), name, port }),
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 2000 }) }),
  },
  fc.record({
    type: fc.constant('mark' as const),
    name,
    port,
    run,
    mark: fc.constantFrom('down' as const, 'draining' as const),
    isSet: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('override' as const),
    name,
    port,
    status: fc.constantFrom('draining' as const, 'maintenance' as const, null),
    weight: fc.constantFrom(7, 9, null),
  }),
);

/** Names in two namespaces, one of them with the same name. */
const services = [{ name: 'a' }, { name: 'a', namespace: 'x' }, { name: 'b' }] as const;
const keys = ['a', 'x/a', 'b'] as const;

class Model {
  readonly instances = new Map<string, Known>();
  readonly overrides = new Map<
    string,
    { status: 'draining' | 'maintenance' | null; weight: number | null }
  >();

  at(portNumber: number): Known | undefined {
    return [...this.instances.values()].find((known) => known.port === portNumber);
  }

  expire(nowMs: number): void {
    for (const [key, known] of this.instances) if (known.dueMs <= nowMs) this.instances.delete(key);
  }

  register(at: Extract<Command, { type: 'register' }>, nowMs: number): void {
    const service = keys[at.name]!;
    const id = `127.0.0.1:${at.port}`;
    const holder = this.at(at.port);
    if (holder !== undefined && holder.service !== service)
      this.instances.delete(`${holder.service} ${holder.id}`);
    const existing = this.instances.get(`${service} ${id}`);
    const isSame = existing?.incarnation === `run${at.run}`;
    this.instances.set(`${service} ${id}`, {
      service,
      id,
      port: at.port,
      incarnation: `run${at.run}`,
      weight: at.weight,
      interval: at.interval,
      healthy: at.healthy,
      draining: isSame && existing.draining,
      down: isSame && existing.down,
      dueMs: nowMs + at.interval * 1500,
    });
  }

  shown({ service, id, draining, healthy, down, weight }: Known): { status: string; weight: number } {
    const decided = this.overrides.get(`${service} ${id}`);
    const status =
      decided?.status === 'maintenance'
        ? 'maintenance'
        : decided?.status === 'draining' || draining
          ? 'draining'
          : !healthy || down
            ? 'down'
            : 'up';
    return { status, weight: decided?.weight ?? weight };
  }
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (isRegistryError(error)) return error.code;
    throw error;
  }
}

function apply(registry: Registry, model: Model, time: VirtualTime, one: Command): void {
  if (one.type === 'pass') {
    time.advanceSync(one.ms);
    model.expire(time.now());
    return;
  }
  const service = services[one.name]!;
  const key = keys[one.name]!;
  const id = `127.0.0.1:${one.port}`;
  const known = model.instances.get(`${key} ${id}`);
  switch (one.type) {
    case 'register': {
      const request = { ...service, host: '127.0.0.1', port: one.port, incarnation: `run${one.run}` };
      const { weight, interval, healthy } = one;
      const code = codeOf(() =>
        registry.register({ ...request, weight, heartbeatInterval: interval, healthy }),
      );
      // Who was replaced is refused; that memory is tested by itself, and taken from the registry here.
      if (code === undefined) model.register(one, time.now());
      else expect(code).toBe('ERR_INCARNATION_STALE');
      return;
    }
    case 'beat': {
      const request = { ...service, host: '127.0.0.1', port: one.port, incarnation: `run${one.run}` };
      const code = codeOf(() => registry.heartbeat({ ...request, healthy: one.healthy }));
      const isMeant = known?.incarnation === request.incarnation;
      expect(code === undefined).toBe(isMeant);
      if (!isMeant) return;
      known.dueMs = time.now() + known.interval * 1500;
      known.healthy = one.healthy ?? known.healthy;
      return;
    }
    case 'leave': {
      const code = codeOf(() => registry.deregister({ ...service, port: one.port }));
      expect(code === undefined).toBe(model.instances.delete(`${key} ${id}`));
      return;
    }
    case 'mark': {
      const incarnation = `run${one.run}`;
      const isKnown = known?.incarnation === incarnation;
      expect(registry.mark({ service: key, id, incarnation }, one.mark, one.isSet)).toBe(isKnown);
      if (isKnown) known[one.mark] = one.isSet;
      return;
    }
    case 'override':
      registry.override(key, id, { status: one.status, weight: one.weight });
      model.overrides.set(`${key} ${id}`, { status: one.status, weight: one.weight });
  }
}

const summary = ({
  id,
  incarnation,
  status,
  weight,
}: Pick<Instance, 'id' | 'incarnation' | 'status' | 'weight'>) => `${id} ${incarnation} ${status} ${weight}`;

function expectSame(registry: Registry, model: Model): void {
  for (const key of keys) {
    const expected = [...model.instances.values()]
      .filter(({ service }) => service === key)
      .map((known) => summary({ ...known, ...model.shown(known) } as never))
      .sort();
    const found = registry.find(key, 'any')?.instances ?? [];
    expect(found.map(summary).sort()).toEqual(expected);
    const listed = registry.peek(key)?.instances ?? [];
    expect(listed.map(summary).sort()).toEqual(expected.filter((text) => text.includes(' up ')));
  }
}

/** A reader of the stream alone. */
class Follower {
  readonly replica = new Replica();
  readonly #epoch: string;
  readonly #view: View;
  lastHash = new Map<string, string>();

  constructor(epoch: string, view: View) {
    this.#epoch = epoch;
    this.#view = view;
  }

  take(change: Change): void {
    const text = encodeChange(this.#epoch, change, this.#view);
    if (text === undefined) return;
    this.replica.read(text);
    const { hash } = this.replica.events.at(-1)!.data as { hash: string };
    this.lastHash.set(change.service, hash);
  }
}

describe('whatever happens to a registry', () => {
  test('it lists what the rules say, and whoever reads its changes knows the same, in either view', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const time = new VirtualTime();
        const registry = new Registry({ clock: time, wallClock: time.wallClock, timers: time });
        const model = new Model();
        const followers = {
          listed: new Follower(registry.epoch, 'listed'),
          any: new Follower(registry.epoch, 'any'),
        };
        const revisions: number[] = [];
        registry.subscribe((change) => {
          revisions.push(change.revision);
          followers.listed.take(change);
          followers.any.take(change);
        });
        for (const one of commands) {
          apply(registry, model, time, one);
          expectSame(registry, model);
        }
        expect(revisions).toEqual(revisions.map((_, at) => at + 1));
        for (const view of ['listed', 'any'] as const) {
          const { replica, lastHash } = followers[view];
          const services = registry.list(view);
          const all = services.flatMap(({ instances }) => instances);
          expect(replica.list).toEqual(all.map((one) => [one.name, one.id, one.port, one.weight]).sort());
          for (const [key, hash] of lastHash) {
            const instances = registry.find(key, view)?.instances ?? [];
            expect(hash).toBe(formatHash(instances.map(instanceHash).reduce(combineHash, emptyHash)));
          }
        }
        registry.close();
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test('another run that reads back what it stored lists the same', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const time = new VirtualTime();
        const options = { clock: time, wallClock: time.wallClock, timers: time };
        const [registry, next] = [new Registry(options), new Registry(options)];
        const model = new Model();
        for (const one of commands) apply(registry, model, time, one);
        for (const { service, id, status = null, weight = null } of registry.overrides())
          next.override(service, id, { status, weight });
        for (const stored of registry.stored())
          next.adopt(JSON.parse(JSON.stringify(stored)) as StoredInstance);
        const summaries = (of: Registry) => of.list('any').map(({ instances }) => instances.map(summary));
        // A check is made anew, so that what only a check said is forgotten.
        const expected = summaries(registry).flat();
        const isCheckedDown = commands.some((one) => one.type === 'mark' && one.mark === 'down');
        if (!isCheckedDown) expect(summaries(next).flat()).toEqual(expected);
        else expect(summaries(next).flat()).toHaveLength(expected.length);
      }),
      { numRuns: 60 },
    );
  });
});
