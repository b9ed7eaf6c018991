import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LoadBalancer } from './load-balancer.ts';
import type { Endpoint } from './endpoint.ts';
import type { Lease } from './lease.ts';
import type { PickContext } from './load-balancer.ts';
import type { LeaseResult } from './policy.ts';
import { strategies } from './strategies.ts';
import type { StrategyName } from './strategies.ts';
import { seeded } from './testing/seeded.ts';

const names = Object.keys(strategies) as StrategyName[];

function balancerOf<E extends Endpoint>(
  strategy: StrategyName,
  endpoints: readonly E[],
  seed = 1,
): LoadBalancer<E> {
  const balancer = new LoadBalancer<E>({ strategy, random: seeded(seed) });
  balancer.update(endpoints);
  return balancer;
}

const ids = (length: number) => Array.from({ length }, (_, at) => `e${at}`);
const plain = (length: number) => ids(length).map((id) => ({ id }));

describe.each(names)('%s', (strategy) => {
  test('nothing to pick from gives undefined', () => {
    const balancer = new LoadBalancer({ strategy });
    expect(balancer.pick()).toBeUndefined();
    balancer.update([{ id: 'a' }]);
    balancer.update([]);
    expect(balancer.pick()).toBeUndefined();
    balancer.update([{ id: 'a' }]);
    expect(balancer.pick({ excluded: new Set(['a']) })).toBeUndefined();
  });

  test('a lease gives back the very object of the last update', () => {
    const [first, second] = [
      { id: 'a', port: 1 },
      { id: 'a', port: 2 },
    ];
    const balancer = balancerOf(strategy, [first]);
    expect(balancer.pick()?.endpoint).toBe(first);
    balancer.update([second]);
    expect(balancer.pick()?.endpoint).toBe(second);
  });

  test('of two endpoints with one id the later one holds', () => {
    const balancer = balancerOf(strategy, [
      { id: 'a', port: 1 },
      { id: 'a', port: 2 },
    ]);
    expect(balancer.getSnapshot()).toHaveLength(1);
    expect(balancer.pick()?.endpoint.port).toBe(2);
  });

  test('available is read at every pick', () => {
    let sick = 'a';
    const live = (id: string) => ({
      id,
      get available() {
        return id !== sick;
      },
    });
    const balancer = balancerOf(strategy, [live('a'), live('b')]);
    for (let at = 0; at < 20; at++) {
      sick = at % 2 ? 'a' : 'b';
      expect(balancer.pick()?.endpoint.id).toBe(sick === 'a' ? 'b' : 'a');
    }
  });

  test('the last available one of a thousand is found', () => {
    const endpoints = ids(1000).map((id) => ({ id, available: id === 'e613' }));
    const balancer = balancerOf(strategy, endpoints);
    for (let at = 0; at < 20; at++) expect(balancer.pick()?.endpoint.id).toBe('e613');
  });

  test('panic: when everything is unavailable it picks among all, without the excluded', () => {
    const balancer = balancerOf(
      strategy,
      ids(3).map((id) => ({ id, available: false })),
    );
    const excluded = new Set(['e1']);
    const picked = new Set(Array.from({ length: 60 }, () => balancer.pick({ excluded })?.endpoint.id));
    expect([...picked].sort()).toEqual(['e0', 'e2']);
  });

  test('a weight of 0 is picked only when no other candidate is left, but before an unavailable one', () => {
    const endpoints = [
      { id: 'drained', weight: 0, available: true },
      { id: 'usual', available: true },
    ];
    const balancer = balancerOf(strategy, endpoints);
    for (let at = 0; at < 40; at++) expect(balancer.pick()?.endpoint.id).toBe('usual');
    endpoints[1]!.available = false;
    for (let at = 0; at < 40; at++) expect(balancer.pick()?.endpoint.id).toBe('drained');
    endpoints[0]!.available = false;
    for (let at = 0; at < 40; at++) expect(balancer.pick()?.endpoint.id).toBe('usual');
  });

  test('the cost of a pick does not grow with the set while half of it is available', () => {
    let reads = 0;
    const endpoints = ids(1000).map((id, at) => ({
      id,
      get available() {
        reads++;
        return at % 2 === 0;
      },
    }));
    const balancer = balancerOf(strategy, endpoints);
    for (let at = 0; at < 1000; at++) balancer.pick()?.done({ outcome: 'success', latencyMs: 5 });
    // Rendezvous has to look at all by its nature, and a ring at 21 places.
    expect(reads / 1000).toBeLessThan({ rendezvous: 1001, 'ring-hash': 30 }[strategy as string] ?? 15);
  });

  test('a random source out of its range does no harm', () => {
    for (const value of [1, 0, 1 - Number.EPSILON]) {
      const balancer = new LoadBalancer({ strategy, random: () => value });
      for (const length of [1, 3, 12]) {
        balancer.update(plain(length));
        expect(balancer.pick()).toBeDefined();
      }
    }
  });

  test('behaves as the naive model does, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 80 }), (seed, steps) => {
        const world = new World(strategy, seed);
        for (const run of steps) {
          run(world);
          world.check();
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** A balancer beside a naive model of what it must know. */
class World {
  readonly #balancer: LoadBalancer<Listed>;
  readonly #strategy: StrategyName;
  #listed: readonly Listed[] = [];
  #leases: { lease: Lease<Listed>; open: boolean }[] = [];

  constructor(strategy: StrategyName, seed: number) {
    this.#strategy = strategy;
    this.#balancer = new LoadBalancer({ strategy, random: seeded(Math.abs(seed)) });
  }

  update(endpoints: readonly Listed[]): void {
    this.#listed = endpoints.map((endpoint) => ({ ...endpoint }));
    this.#balancer.update(this.#listed);
  }

  flip(at: number): void {
    const endpoint = this.#listed[at % (this.#listed.length || 1)];
    if (endpoint) endpoint.available = !endpoint.available;
  }

  pick(context: PickContext): void {
    const allowed = this.#listed.filter(({ id }) => !context.excluded?.has(id));
    const available = allowed.filter((endpoint) => endpoint.available);
    const all = available.length > 0 ? available : allowed;
    const weighty = all.filter(({ weight }) => weight > 0);
    const candidates = weighty.length > 0 ? weighty : all;
    const load = ({ id, weight }: Listed) => this.#open(id) / weight;
    const least = Math.min(...candidates.map(load));

    const lease = this.#balancer.pick(context);
    if (candidates.length === 0) {
      expect(lease).toBeUndefined();
      return;
    }
    expect(candidates).toContain(lease?.endpoint);
    if (this.#strategy === 'least-connections' && this.#listed.length <= 8 && weighty.length > 0) {
      expect(load(lease!.endpoint)).toBe(least);
    }
    this.#leases.push({ lease: lease!, open: true });
  }

  done(at: number, result: LeaseResult | undefined): void {
    const entry = this.#leases[at % (this.#leases.length || 1)];
    if (!entry) return;
    entry.lease.done(result);
    entry.open = false;
  }

  check(): void {
    const snapshot = this.#balancer.getSnapshot();
    expect(snapshot.map(({ id, weight, available }) => ({ id, weight, available }))).toEqual(this.#listed);
    for (const { id, inflight, picks, latencyMs } of snapshot) {
      expect(inflight).toBe(this.#open(id));
      expect(picks).toBeGreaterThanOrEqual(inflight);
      expect(latencyMs ?? 0).toBeGreaterThanOrEqual(0);
      expect(latencyMs ?? 0).toBeLessThan(Infinity);
    }
  }

  #open(id: string): number {
    return this.#leases.filter(({ lease, open }) => open && lease.endpoint.id === id).length;
  }
}

interface Listed {
  id: string;
  weight: number;
  available: boolean;
}

const listed: fc.Arbitrary<Listed> = fc.record({
  id: fc.constantFrom(...ids(12)),
  weight: fc.constantFrom(0, 1, 1, 1, 2, 0.5, 30),
  available: fc.boolean(),
});
const result: fc.Arbitrary<LeaseResult | undefined> = fc.option(
  fc.record(
    {
      outcome: fc.constantFrom<LeaseResult['outcome']>('success', 'failure', 'ignored'),
      latencyMs: fc.oneof(fc.double(), fc.nat(2000)),
    },
    { requiredKeys: ['outcome'] },
  ),
  { nil: undefined },
);
const excluded = fc.uniqueArray(fc.constantFrom(...ids(12)), { maxLength: 4 });
const step: fc.Arbitrary<(world: World) => void> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.uniqueArray(listed, { selector: ({ id }) => id }).map((set) => (world: World) => {
      world.update(set);
    }),
  },
  {
    weight: 1,
    arbitrary: fc.nat(11).map((at) => (world: World) => {
      world.flip(at);
    }),
  },
  {
    weight: 3,
    arbitrary: excluded.map((set) => (world: World) => {
      world.pick({ excluded: new Set(set) });
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constant((world: World) => {
      world.pick({});
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(60), result).map(([at, how]) => (world: World) => {
      world.done(at, how);
    }),
  },
);

describe('leases', () => {
  test('count as open from pick to the first done', () => {
    const balancer = balancerOf('random', plain(1));
    const [one, two] = [balancer.pick(), balancer.pick()];
    expect(balancer.getSnapshot()[0]).toMatchObject({ inflight: 2, picks: 2 });
    one?.done();
    one?.done({ outcome: 'success', latencyMs: 9 });
    expect(balancer.getSnapshot()[0]).toMatchObject({ inflight: 1, latencyMs: undefined });
    two?.done();
    expect(balancer.getSnapshot()[0]).toMatchObject({ inflight: 0, picks: 2 });
  });

  test('statistics are kept by id over a refresh', () => {
    const balancer = balancerOf<Endpoint>('random', plain(1));
    balancer.pick()?.done({ outcome: 'success', latencyMs: 40 });
    const open = balancer.pick();
    balancer.update([{ id: 'new' }, { id: 'e0', weight: 3 }]);
    expect(balancer.getSnapshot()).toEqual([
      {
        id: 'new',
        weight: 1,
        inflight: 0,
        available: true,
        state: 'available',
        latencyMs: undefined,
        picks: 0,
      },
      { id: 'e0', weight: 3, inflight: 1, available: true, state: 'available', latencyMs: 40, picks: 2 },
    ]);
    open?.done();
    expect(balancer.getSnapshot()[1]?.inflight).toBe(0);
  });

  test('a busy endpoint that leaves and comes back has its open leases', () => {
    const balancer = balancerOf('random', plain(1));
    const open = balancer.pick();
    balancer.update([]);
    balancer.update([]);
    balancer.update(plain(1));
    expect(balancer.getSnapshot()[0]?.inflight).toBe(1);
    open?.done();
    expect(balancer.getSnapshot()[0]?.inflight).toBe(0);
  });

  test('an idle endpoint that left is forgotten', () => {
    const balancer = balancerOf('random', plain(1));
    balancer.pick()?.done({ outcome: 'success', latencyMs: 40 });
    balancer.update([]);
    balancer.update(plain(1));
    expect(balancer.getSnapshot()[0]).toMatchObject({ picks: 0, latencyMs: undefined });
  });
});

describe('response time', () => {
  const latencyAfter = (...results: LeaseResult[]) => {
    const balancer = balancerOf('weighted', plain(1));
    for (const each of results) balancer.pick()?.done(each);
    return balancer.getSnapshot()[0]?.latencyMs;
  };
  const success = (latencyMs: number): LeaseResult => ({ outcome: 'success', latencyMs });
  const failure = (latencyMs: number): LeaseResult => ({ outcome: 'failure', latencyMs });

  test('starts with the first answer and moves a fifth of the way to each further one', () => {
    expect(latencyAfter()).toBeUndefined();
    expect(latencyAfter(success(100))).toBe(100);
    expect(latencyAfter(success(100), success(200))).toBe(120);
  });

  test('a failure may show that an endpoint is slow, never that it is fast', () => {
    expect(latencyAfter(failure(1))).toBeUndefined();
    expect(latencyAfter(failure(5000))).toBe(5000);
    expect(latencyAfter(success(100), failure(1))).toBe(100);
    expect(latencyAfter(success(100), failure(600))).toBe(200);
  });

  test('ignored results and senseless times teach nothing', () => {
    expect(latencyAfter({ outcome: 'ignored', latencyMs: 5 }, { outcome: 'success' })).toBeUndefined();
    expect(latencyAfter(success(100), success(NaN), success(-1), success(Infinity))).toBe(100);
  });
});

describe('update', () => {
  test.each([-1, NaN, Infinity, 1_000_001])('refuses a weight of %d and changes nothing', (weight) => {
    const balancer = balancerOf<Endpoint>('random', plain(2));
    const update = () => {
      balancer.update([{ id: 'a' }, { id: 'b', weight }]);
    };
    expect(update).toThrow(RangeError);
    expect(update).toThrow(`weight must be a number from 0 to 1000000, got ${weight} (endpoint "b")`);
    expect(balancer.getSnapshot().map(({ id }) => id)).toEqual(['e0', 'e1']);
  });

  test('does not look at the array afterwards', () => {
    const endpoints = plain(2);
    const balancer = balancerOf('round-robin', endpoints);
    endpoints.length = 0;
    expect(balancer.pick()).toBeDefined();
  });
});

test.each(['fastest', '', 'toString', 'Random'])('strategy %j is refused', (strategy) => {
  const build = () => new LoadBalancer({ strategy: strategy as StrategyName });
  expect(build).toThrow(RangeError);
  expect(build).toThrow(`strategy must be one of ${names.join(', ')} or a function, got "${strategy}"`);
});

test('the default strategy is adaptive: it avoids an endpoint that failed just now', () => {
  const balancer = new LoadBalancer({ random: seeded(3), clock: { now: () => 0 } });
  balancer.update(plain(2));
  const failed = balancer.pick();
  failed?.done({ outcome: 'failure', latencyMs: 1 });
  for (let at = 0; at < 20; at++) {
    const lease = balancer.pick();
    expect(lease?.endpoint.id).not.toBe(failed?.endpoint.id);
    lease?.done();
  }
});
