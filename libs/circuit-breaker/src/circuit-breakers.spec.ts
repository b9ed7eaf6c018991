import { describe, expect, test } from '@jest/globals';
import type { CircuitBreaker } from './circuit-breaker.ts';
import { CircuitBreakers, type CircuitBreakersOptions } from './circuit-breakers.ts';
import { boom, fail, rejectionOf, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { brittle } from './testing/virtual-breaker.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

trapRejections();

function set(options: CircuitBreakersOptions = {}): { hosts: CircuitBreakers; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { hosts: new CircuitBreakers({ name: 'hosts', ...brittle, clock, ...options }), clock };
}

const open = (breaker: CircuitBreaker): void => breaker.tryAcquire()?.settle('failure', boom);

describe('one circuit for each key', () => {
  test('is made when it is first asked for, and stays the same', () => {
    const { hosts } = set();
    expect([hosts.size, hosts.has('a')]).toEqual([0, false]);
    const breaker = hosts.get('a');
    expect(breaker.name).toBe('hosts/a');
    expect(hosts.get('a')).toBe(breaker);
    expect([hosts.size, hosts.has('a'), hosts.has('b')]).toEqual([1, true, false]);
    expect(new CircuitBreakers().get('__proto__').name).toBe('circuit/__proto__');
  });

  test('fails by itself', async () => {
    const { hosts } = set();
    await expect(hosts.execute('a', fail, { fallback: () => 'cached' })).resolves.toBe('cached');
    expect(await rejectionOf(hosts.execute('a', succeed))).toMatchObject({ circuit: 'hosts/a' });
    await expect(hosts.execute('b', succeed)).resolves.toBe('ok');
  });

  test('can be forgotten, and is then made anew', () => {
    const { hosts } = set();
    open(hosts.get('a'));
    expect(hosts.delete('a')).toBe(true);
    expect(hosts.delete('a')).toBe(false);
    expect(hosts.get('a').state).toBe('closed');
  });

  test('options out of their range are refused at once', () => {
    for (const [options, complaint] of [
      [{ maximumKeys: 0 }, 'maximumKeys must be an integer >= 1, got 0'],
      [{ maximumOpenRatio: 0 }, 'maximumOpenRatio must be a ratio > 0 and <= 1, got 0'],
      [{ successThreshold: 0 }, 'successThreshold must be an integer >= 1, got 0'],
    ] as const) {
      expect(() => new CircuitBreakers(options)).toThrow(new RangeError(`circuitBreaker: ${complaint}`));
    }
  });
});

describe('no more circuits than allowed', () => {
  test('the one used longest ago goes first', () => {
    const { hosts } = set({ maximumKeys: 2 });
    for (const key of ['a', 'b', 'a', 'c']) hosts.get(key);
    expect(['a', 'b', 'c'].map((key) => hosts.has(key))).toEqual([true, false, true]);
    expect(hosts.size).toBe(2);
  });

  test('a closed one before others, which know something', () => {
    const { hosts } = set({ maximumKeys: 3 });
    open(hosts.get('sick'));
    hosts.get('old');
    hosts.get('young');
    hosts.get('new');
    expect(['sick', 'old', 'young', 'new'].map((key) => hosts.has(key))).toEqual([true, false, true, true]);
  });

  test('of open ones the oldest', () => {
    const { hosts } = set({ maximumKeys: 2 });
    open(hosts.get('a'));
    open(hosts.get('b'));
    hosts.get('c');
    expect(['a', 'b', 'c'].map((key) => hosts.has(key))).toEqual([false, true, true]);
  });

  test('a thousand unless told otherwise', () => {
    const { hosts } = set();
    for (let key = 0; key < 1_100; key++) hosts.get(String(key));
    expect(hosts.size).toBe(1_000);
  });
});

describe('no more open circuits than allowed', () => {
  const openOf = (hosts: CircuitBreakers, keys: number): number => {
    const all = Array.from({ length: keys }, (_, key) => hosts.get(String(key)));
    for (const breaker of all) open(breaker);
    return all.filter(({ state }) => state === 'open').length;
  };

  test.each([
    [1, 10, 10],
    [0.5, 10, 5],
    [0.5, 3, 1],
    [0.1, 5, 1],
    [0.25, 8, 2],
  ])('by a ratio of %d, of %d there are %d', (maximumOpenRatio, keys, expected) => {
    expect(openOf(set({ maximumOpenRatio }).hosts, keys)).toBe(expected);
  });

  test('one that half-opens still is one of them, one that closes is not', () => {
    const { hosts, clock } = set({ maximumOpenRatio: 0.5 });
    expect(openOf(hosts, 3)).toBe(1);
    clock.pass(100);
    open(hosts.get('1'));
    expect(hosts.get('1').state).toBe('closed');
    hosts.get('0').tryAcquire()?.settle('success');
    open(hosts.get('1'));
    expect(hosts.get('1').state).toBe('open');
  });

  test('a circuit that may not open keeps counting, and opens when it may', () => {
    const { hosts } = set({ maximumOpenRatio: 0.5 });
    expect(openOf(hosts, 2)).toBe(1);
    expect(hosts.get('1').getSnapshot().failureCount).toBe(1);
    hosts.get('0').reset();
    open(hosts.get('1'));
    expect(hosts.get('1').getSnapshot()).toMatchObject({ state: 'open', failureCount: 2 });
  });
});

describe('as a group', () => {
  test('events of present and future circuits are heard, of forgotten ones not', () => {
    const { hosts } = set();
    const present = hosts.get('present');
    const heard: unknown[] = [];
    const stop = hosts.on('failure', ({ circuit }) => heard.push(circuit));
    open(present);
    const future = hosts.get('future');
    open(future);
    expect(heard).toEqual(['hosts/present', 'hosts/future']);
    hosts.delete('present');
    present.reset();
    open(present);
    expect(heard).toHaveLength(2);
    stop();
    future.reset();
    open(future);
    open(hosts.get('later'));
    expect(heard).toHaveLength(2);
  });

  test('all are held open, present and to come, until released', () => {
    const { hosts } = set();
    const present = hosts.get('present');
    {
      using hold = hosts.isolate();
      expect(hold).toBeDefined();
      expect([present.available, hosts.get('future').available]).toEqual([false, false]);
    }
    expect([present.available, hosts.get('future').available, hosts.get('later').available]).toEqual([
      true,
      true,
      true,
    ]);
    const [one, other] = [hosts.isolate(), hosts.isolate()];
    one.release();
    one.release();
    expect(present.available).toBe(false);
    other.release();
    expect(present.available).toBe(true);
  });

  test('a forgotten circuit is held no longer', () => {
    const { hosts } = set();
    const old = hosts.get('a');
    hosts.isolate();
    hosts.delete('a');
    expect(old.available).toBe(true);
    expect(hosts.get('a').available).toBe(false);
  });

  test('all are reset', () => {
    const { hosts } = set();
    for (const key of ['a', 'b']) open(hosts.get(key));
    hosts.reset();
    expect([hosts.get('a').state, hosts.get('b').state]).toEqual(['closed', 'closed']);
  });

  test('all are reconfigured, present and to come, and again', () => {
    const { hosts } = set();
    const present = hosts.get('present');
    hosts.reconfigure({ resetTimeoutInMilliseconds: 70 });
    hosts.reconfigure({ maximumFailuresAllowed: 2 });
    for (const breaker of [present, hosts.get('future')]) {
      open(breaker);
      expect(breaker.state).toBe('closed');
      open(breaker);
      expect(breaker.retryAfterMs).toBe(70);
    }
  });

  test('a change out of range changes none of them', () => {
    const { hosts } = set();
    const present = hosts.get('present');
    expect(() => {
      hosts.reconfigure({ maximumFailuresAllowed: 5, successThreshold: 0 });
    }).toThrow(RangeError);
    open(present);
    open(hosts.get('future'));
    expect([present.state, hosts.get('future').state]).toEqual(['open', 'open']);
  });

  test('the snapshot is frozen, and the same until something changes', () => {
    const { hosts } = set();
    expect(hosts.getSnapshot()).toEqual([]);
    hosts.get('a');
    const first = hosts.getSnapshot();
    expect(first).toMatchObject([{ name: 'hosts/a', state: 'closed' }]);
    expect(Object.isFrozen(first)).toBe(true);
    expect(hosts.getSnapshot()).toBe(first);
    let changes = 0;
    const stop = hosts.subscribe(() => changes++);
    open(hosts.get('a'));
    expect(hosts.getSnapshot()).not.toBe(first);
    open(hosts.get('b'));
    expect(hosts.getSnapshot()).toHaveLength(2);
    hosts.delete('a');
    expect(hosts.getSnapshot()).toMatchObject([{ name: 'hosts/b' }]);
    expect(changes).toBe(2);
    stop();
    hosts.get('b').reset();
    expect(changes).toBe(2);
  });
});

test('of many circuits one that changes is enough for a new snapshot, and the others keep theirs', () => {
  const { hosts } = set();
  const [first, second] = ['a', 'b'].map((key) => hosts.get(key));
  const before = hosts.getSnapshot();
  if (second !== undefined) open(second);
  const after = hosts.getSnapshot();
  expect(after).not.toBe(before);
  expect(after[0]).toBe(before[0]);
  expect(after).toMatchObject([{ state: 'closed' }, { state: 'open' }]);
  expect(first?.state).toBe('closed');
});

test('to forget a key that nobody knows does nothing, whoever listens', () => {
  const { hosts } = set();
  hosts.on('failure', () => undefined);
  expect(hosts.delete('unknown')).toBe(false);
});

describe('protect', () => {
  const { hosts } = set();

  class Hosts {
    readonly #prefix = 'at ';

    @hosts.protect({ key: (host: string) => host, fallback: (error) => (error as Error).message })
    async get(host: string, path = '/'): Promise<string> {
      if (host === 'sick') throw boom;
      return Promise.resolve(this.#prefix + host + path);
    }

    @hosts.protect({
      key: (): string => {
        throw boom;
      },
    })
    async broken(): Promise<void> {
      return Promise.resolve();
    }
  }

  test('gives each key its circuit, and keeps this, arguments, name and length', async () => {
    const client = new Hosts();
    await expect(client.get('sick')).resolves.toBe('boom');
    await expect(client.get('sick')).resolves.toBe('circuit "hosts/sick" is open');
    await expect(client.get('well', '/x')).resolves.toBe('at well/x');
    expect([client.get.name, client.get.length]).toEqual(['get', 1]);
    expect(hosts.has('well')).toBe(true);
  });

  test('what the key throws is a rejection', async () => {
    expect(await rejectionOf(new Hosts().broken())).toBe(boom);
  });

  test('refuses what is not a method', () => {
    const decorate = hosts.protect({ key: () => 'a' }) as unknown as (
      method: unknown,
      context: unknown,
    ) => unknown;
    expect(() => decorate(() => undefined, { kind: 'getter' })).toThrow(TypeError);
  });
});
