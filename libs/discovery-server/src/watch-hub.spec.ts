import { describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { formatHash, instanceHash } from '@mesh/discovery-client';
import fc from 'fast-check';
import { isRegistryError } from './registry-error.ts';
import { Registry } from './registry.ts';
import type { RegistryOptions } from './registry.ts';
import { FakeStream } from './testing/fake-stream.ts';
import { Replica } from './testing/replica.ts';
import { WatchHub } from './watch-hub.ts';
import type { WatchHubOptions, WatchRequest } from './watch-hub.ts';

function setUp(options: WatchHubOptions = {}, registryOptions: RegistryOptions = {}) {
  const time = new VirtualTime();
  const { wallClock } = time;
  const registry = new Registry({
    clock: time,
    wallClock,
    timers: time,
    random: () => 0.5,
    ...registryOptions,
  });
  const hub = new WatchHub(registry, { timers: time, ...options });
  const watch = (request?: WatchRequest) => {
    const stream = new FakeStream();
    return { stream, close: hub.open(stream, request) };
  };
  return { time, registry, hub, watch };
}

const users = { name: 'user-service', host: '127.0.0.1', port: 4000 };
const orders = { name: 'order-service', host: '127.0.0.1', port: 5000 };

function eventsOf(stream: FakeStream) {
  const replica = new Replica();
  replica.read(stream.written.join(''));
  return replica.events;
}

const kinds = (stream: FakeStream) => eventsOf(stream).map(({ event }) => event);

describe('a stream', () => {
  test('begins with how to retry and a snapshot, then tells every change', () => {
    const { registry, watch } = setUp();
    const { instance } = registry.register(users);
    const { stream } = watch();
    expect(stream.written[0]).toMatch(/^retry: 500\n\nid: .*:1\nevent: snapshot\ndata: \{.*\}\n\n$/);
    registry.register(orders);
    registry.deregister(users);
    const { epoch } = registry;
    expect(eventsOf(stream)).toEqual([
      {
        id: `${epoch}:1`,
        event: 'snapshot',
        data: {
          epoch,
          revision: `${epoch}:1`,
          instances: [instance],
          hashes: { 'user-service': formatHash(instanceHash(instance)) },
        },
      },
      {
        id: `${epoch}:2`,
        event: 'upsert',
        data: {
          instance: expect.objectContaining({ name: 'order-service', port: 5000 }),
          hash: expect.stringMatching(/^[0-9a-f]{16}$/),
        },
      },
      {
        id: `${epoch}:3`,
        event: 'remove',
        data: { name: 'user-service', id: '127.0.0.1:4000', reason: 'deregistered', hash: '0'.repeat(16) },
      },
    ]);
  });

  test('tells only of the services it was asked for', () => {
    const { registry, watch } = setUp();
    registry.register(users);
    registry.register(orders);
    const { stream } = watch({ services: ['order-service', 'payment-service'] });
    registry.register({ ...users, weight: 2 });
    registry.register({ ...orders, weight: 2 });
    registry.register({ ...orders, name: 'payment-service', port: 3001 });
    const events = eventsOf(stream);
    expect(events.map(({ event, id }) => [event, id.split(':')[1]])).toEqual([
      ['snapshot', '2'],
      ['upsert', '4'],
      ['upsert', '5'],
    ]);
    expect(events[0]?.data).toMatchObject({ instances: [{ name: 'order-service' }] });
  });

  test('a heartbeat or the same content again is no event', () => {
    const { registry, watch } = setUp();
    registry.register(users);
    const { stream } = watch();
    registry.heartbeat(users);
    registry.register(users);
    expect(kinds(stream)).toEqual(['snapshot']);
  });

  test('tells of a lease that ran out in the millisecond in which it does', () => {
    const { registry, watch, time } = setUp();
    registry.register(users);
    const { stream } = watch();
    time.advanceSync(44_999);
    expect(kinds(stream)).not.toContain('remove');
    time.advanceSync(1);
    expect(eventsOf(stream).at(-1)).toMatchObject({ event: 'remove', data: { reason: 'expired' } });
  });

  test('gets a bookmark every ten seconds, also about changes that were none of its business', () => {
    const { registry, watch, time } = setUp();
    const { stream } = watch({ services: ['user-service'] });
    registry.register(orders);
    time.advanceSync(9999);
    expect(kinds(stream)).toEqual(['snapshot']);
    time.advanceSync(1);
    const revision = `${registry.epoch}:1`;
    expect(eventsOf(stream).at(-1)).toEqual({ id: revision, event: 'bookmark', data: { revision } });
    time.advanceSync(20_000);
    expect(kinds(stream)).toEqual(['snapshot', 'bookmark', 'bookmark', 'bookmark']);
  });

  test('all streams get the very same text of a change', () => {
    const { registry, watch } = setUp();
    const streams = [watch(), watch(), watch({ services: ['user-service'] })].map(({ stream }) => stream);
    registry.register(users);
    const texts = streams.map((stream) => stream.written.at(-1));
    expect(texts[0]).toContain('event: upsert');
    expect(new Set(texts).size).toBe(1);
  });
});

describe('resuming', () => {
  test('sends what was missed and a bookmark, no snapshot', () => {
    const { registry, watch } = setUp();
    registry.register(users);
    const lastEventId = registry.revision;
    registry.register(orders);
    registry.register({ ...users, weight: 2 });
    expect(kinds(watch({ lastEventId }).stream)).toEqual(['upsert', 'upsert', 'bookmark']);
    const ofOrders = watch({ lastEventId, services: ['order-service'] }).stream;
    expect(eventsOf(ofOrders).map(({ id }) => id)).toEqual([`${registry.epoch}:2`, registry.revision]);
    expect(kinds(watch({ lastEventId: registry.revision }).stream)).toEqual(['bookmark']);
  });

  test.each(['other:1', 'garbage', '', ':', 'x'.repeat(100), '1'])(
    'after %j begins with a snapshot',
    (lastEventId) => {
      const { registry, watch } = setUp();
      registry.register(users);
      expect(kinds(watch({ lastEventId }).stream)).toEqual(['snapshot']);
    },
  );

  test('after more changes than are kept, or from the future, begins with a snapshot', () => {
    const { registry, watch } = setUp({}, { changeLogSize: 3 });
    for (let weight = 1; weight <= 5; weight++) registry.register({ ...users, weight });
    const at = (revision: number) => kinds(watch({ lastEventId: `${registry.epoch}:${revision}` }).stream);
    expect(at(1)).toEqual(['snapshot']);
    expect(at(2)).toEqual(['upsert', 'upsert', 'upsert', 'bookmark']);
    expect(at(6)).toEqual(['snapshot']);
  });

  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('register' as const),
        name: fc.constantFrom('a', 'b', 'c'),
        port: fc.integer({ min: 1, max: 5 }),
        weight: fc.constantFrom(1, 2),
        heartbeatInterval: fc.constantFrom(1, 9),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('deregister' as const),
        name: fc.constantFrom('a', 'b', 'c'),
        port: fc.integer({ min: 1, max: 5 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(4000) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('deliver' as const), length: fc.nat(900) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('disconnect' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('connect' as const) }) },
  );

  test.each([[undefined], [['a']], [['a', 'b']]])(
    'of %j at any point, as often as one likes, ends where an unbroken stream ends',
    (services) => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 60 }),
          fc.constantFrom(2, 10, 1000),
          (steps, changeLogSize) => {
            const { registry, watch, time, hub } = setUp({}, { changeLogSize });
            const [unbroken, broken] = [new Replica(), new Replica()];
            const whole = watch({ services });
            let current: ReturnType<typeof watch> | undefined;
            const connect = () => {
              current ??= watch({ services, lastEventId: broken.lastEventId });
            };
            const disconnect = () => {
              current?.close();
              current = undefined;
              broken.disconnect();
            };
            for (const one of steps) {
              if (one.kind === 'register') registry.register({ ...one, host: '10.0.0.1' });
              else if (one.kind === 'advance') time.advanceSync(one.ms);
              else if (one.kind === 'deliver') broken.read(current?.stream.drain(one.length) ?? '');
              else if (one.kind === 'connect') connect();
              else if (one.kind === 'disconnect') disconnect();
              else {
                try {
                  registry.deregister(one);
                } catch (error) {
                  expect(isRegistryError(error)).toBe(true);
                }
              }
            }
            connect();
            broken.read(current?.stream.drain() ?? '');
            unbroken.read(whole.stream.drain());
            const truth = registry
              .instances(services)
              .map(({ name, id, port, weight }) => [name, id, port, weight])
              .sort();
            expect(unbroken.list).toEqual(truth);
            expect(broken.list).toEqual(truth);
            const ids = unbroken.events.map(({ id }) => Number(id.split(':')[1]));
            expect(ids).toEqual([...ids].sort((a, b) => a - b));
            disconnect();
            whole.close();
            expect(hub.size).toBe(0);
          },
        ),
        { numRuns: 200 },
      );
    },
  );
});

describe('bounds', () => {
  const large = { ...users, metadata: { text: 'x'.repeat(1000) } };

  test('a watcher with too much unread is cut off, the others go on', () => {
    const { registry, watch, hub } = setUp({ maximumBufferedBytes: 10_000 });
    const [slow, quick] = [watch().stream, watch().stream];
    for (let weight = 1; weight <= 20; weight++) {
      registry.register({ ...large, weight });
      quick.drain();
    }
    expect(slow.state).toBe('destroyed');
    expect(slow.writableLength).toBeLessThan(10_000 + 3000);
    expect(quick.state).toBe('open');
    expect(hub.size).toBe(1);
    expect(kinds(quick)).toHaveLength(21);
  });

  test('a snapshot that is larger than the bound has its time to drain, once', () => {
    const { registry, watch } = setUp({ maximumBufferedBytes: 10_000 });
    for (let port = 1; port <= 50; port++) registry.register({ ...large, port });
    const { stream } = watch();
    expect(stream.writableLength).toBeGreaterThan(50_000);
    registry.register({ ...large, weight: 2 });
    expect(stream.state).toBe('open');
    stream.drain(stream.writableLength - 100);
    registry.register({ ...large, weight: 3 });
    stream.write('x'.repeat(20_000));
    registry.register({ ...large, weight: 4 });
    expect(stream.state).toBe('destroyed');
  });

  test('one watcher more than the limit is refused, until another leaves', () => {
    const { watch, hub } = setUp({ maximumWatchers: 2 });
    const { close } = watch();
    watch();
    expect(() => watch()).toThrow(expect.objectContaining({ code: 'ERR_UNAVAILABLE', retryAfterMs: 5000 }));
    close();
    close();
    expect(hub.size).toBe(1);
    watch();
  });

  test.each([
    [{ maximumWatchers: -1 }, /watchHub: maximumWatchers must be an integer from 0 to 1000000, got -1/],
    [{ maximumBufferedBytes: 0 }, /watchHub: maximumBufferedBytes/],
    [{ bookmarkIntervalMs: Infinity }, /watchHub: bookmarkIntervalMs .* got Infinity/],
  ])('%j is refused by name', (options, message) => {
    expect(() => setUp(options)).toThrow(message);
  });
});

describe('closing', () => {
  test('ends every stream and refuses new ones', () => {
    const { watch, hub } = setUp();
    const [all, one] = [watch(), watch({ services: ['a'] })];
    hub.close();
    expect([all.stream.state, one.stream.state]).toEqual(['ended', 'ended']);
    expect(hub.size).toBe(0);
    expect(() => watch()).toThrow(expect.objectContaining({ code: 'ERR_UNAVAILABLE' }));
  });

  test('leaves no timer and no listener, whoever goes first', () => {
    const { watch, hub, time, registry } = setUp();
    let subscriptions = 0;
    const subscribe = registry.subscribe.bind(registry);
    registry.subscribe = (listener) => {
      const end = subscribe(listener);
      subscriptions += 1;
      return () => {
        subscriptions -= 1;
        end();
      };
    };
    const [a, b] = [watch(), watch({ services: ['a'] })];
    expect([subscriptions, time.pending]).toEqual([1, 1]);
    a.close();
    expect([subscriptions, time.pending]).toEqual([1, 1]);
    b.close();
    expect([subscriptions, time.pending]).toEqual([0, 0]);
    const c = watch();
    hub.close();
    expect([subscriptions, time.pending]).toEqual([0, 0]);
    c.close();
    expect([subscriptions, time.pending]).toEqual([0, 0]);
  });
});

describe('views', () => {
  test('the plain one shows who is up, the other one everybody; a resumed stream shows the same', () => {
    const { registry, watch } = setUp();
    registry.register(users);
    const plain = watch();
    const any = watch({ view: 'any' });
    const at = registry.revision;
    registry.override('user-service', '127.0.0.1:4000', { status: 'maintenance' });
    registry.override('user-service', '127.0.0.1:4000', { weight: 7 });
    registry.override('user-service', '127.0.0.1:4000', { status: null });
    const told = ({ stream }: { stream: FakeStream }) =>
      eventsOf(stream).map(({ event, data }) => [event, (data as { reason?: string }).reason]);
    expect(told(plain).slice(1)).toEqual([
      ['remove', 'maintenance'],
      ['upsert', undefined],
    ]);
    expect(
      told(any)
        .slice(1)
        .map(([event]) => event),
    ).toEqual(['upsert', 'upsert', 'upsert']);
    expect(told(watch({ lastEventId: at }))).toEqual([
      ['remove', 'maintenance'],
      ['upsert', undefined],
      ['bookmark', undefined],
    ]);
  });

  test('a namespace has its own stream, and * is all of them', () => {
    const { registry, watch } = setUp();
    const streams = [
      watch(),
      watch({ namespace: 'test' }),
      watch({ namespace: '*' }),
      watch({ services: ['test/user-service'] }),
    ];
    registry.register(users);
    registry.register({ ...users, port: 4001, namespace: 'test' });
    expect(streams.map(({ stream }) => kinds(stream).length - 1)).toEqual([1, 1, 2, 1]);
  });

  test('a position that cannot be resumed says why', () => {
    const { registry, watch } = setUp();
    registry.register(users);
    const begins = (lastEventId: string) => watch({ lastEventId }).stream.written.join('');
    expect(begins('other:1')).toMatch(
      /^retry: 500\n\nevent: reset\ndata: \{"reason":"epoch"\}\n\nid: .*\nevent: snapshot/,
    );
    expect(begins(`${registry.epoch}:99`)).toContain('event: reset\ndata: {"reason":"gap"}');
  });
});

test('a long snapshot is sent in pieces; with what changes meanwhile it comes to what there is', () => {
  const change = fc.record({
    service: fc.nat(39),
    port: fc.integer({ min: 1, max: 50 }),
    isLeaving: fc.boolean(),
    passMs: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const { registry, watch, time } = setUp();
      for (let at = 0; at < 1200; at++) {
        registry.register({
          name: `service-${at % 40}`,
          host: `10.0.0.${at % 40}`,
          port: 1 + (at % 30),
          id: `i${1 + (at % 30)}`,
        });
      }
      const { stream } = watch();
      for (const { service, port, isLeaving, passMs } of changes) {
        const one = { name: `service-${service}`, host: `10.0.0.${service}`, port, id: `i${port}` };
        if (!isLeaving) registry.register({ ...one, weight: port + 1 });
        else if (registry.service(one.name)?.get(one.id) !== undefined) registry.deregister(one);
        stream.drain();
        time.advanceSync(passMs);
      }
      for (let turn = 0; turn < 50; turn++) {
        stream.drain();
        time.advanceSync(100);
      }
      const replica = new Replica();
      replica.read(stream.written.join(''));
      expect(replica.events.filter(({ event }) => event === 'snapshot')).toHaveLength(1);
      const all = registry.instances().map(({ name, id, port, weight }) => [name, id, port, weight]);
      expect(replica.list).toEqual(all.sort());
    }),
    { numRuns: 15 },
  );
}, 60_000);
