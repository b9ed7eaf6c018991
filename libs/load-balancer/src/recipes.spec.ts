import { describe, expect, test } from '@jest/globals';
import { ofVersion } from './filters.ts';
import type { Endpoint } from './endpoint.ts';
import { LoadBalancer } from './load-balancer.ts';
import type { Lease } from './lease.ts';

/** The recipes of the README. */
const endpoints: readonly (Endpoint & { readonly costPerHour: number })[] = [
  { id: 'a1', version: '1', zone: 'eu-west', costPerHour: 1 },
  { id: 'b1', version: '1', zone: 'eu-north', costPerHour: 2 },
  { id: 'a2', version: '2', zone: 'us-east', costPerHour: 4 },
];

function ended(lease: Lease<Endpoint> | undefined): string | undefined {
  lease?.done({ outcome: 'success', latencyMs: 1 });
  return lease?.endpoint.id;
}

function shares(picks: number, pick: (turn: number) => string | undefined): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let turn = 0; turn < picks; turn++) {
    const id = pick(turn) ?? 'nobody';
    counts[id] = (counts[id] ?? 0) + 1 / picks;
  }
  return counts;
}

describe('canary and A/B', () => {
  const versions = new LoadBalancer({ strategy: 'maglev' });
  versions.update([
    { id: '1', weight: 95 },
    { id: '2', weight: 5 },
  ]);
  const versionFor = (userId: string, wanted?: string): string =>
    ended(versions.pick({ key: userId, prefer: wanted })) ?? '1';

  test('a version gets its share of the users, and a user always the same version', () => {
    const share = shares(20_000, (user) => versionFor(`user-${user}`));
    expect(share['2']).toBeGreaterThan(0.04);
    expect(share['2']).toBeLessThan(0.06);
    for (let user = 0; user < 200; user++)
      expect(versionFor(`user-${user}`)).toBe(versionFor(`user-${user}`));
  });

  test('who asks for a version by header or cookie gets it; one that does not exist is no error', () => {
    expect(versionFor('user-1', '2')).toBe('2');
    expect(versionFor('user-1', '1')).toBe('1');
    expect(['1', '2']).toContain(versionFor('user-1', '9'));
  });

  test('and then one of the instances of that version', () => {
    const instances = new LoadBalancer();
    instances.update(endpoints);
    expect(ended(instances.pick({ only: ofVersion('2') }))).toBe('a2');
    const old = shares(200, () => ended(instances.pick({ only: ofVersion('1') })));
    expect(Object.keys(old).sort()).toEqual(['a1', 'b1']);
  });
});

test('sticky sessions: the cookie is a wish', () => {
  const away = new Set<string>();
  const instances = new LoadBalancer();
  instances.update(
    endpoints.map(({ id }) => ({
      id,
      get available() {
        return !away.has(id);
      },
    })),
  );
  for (let turn = 0; turn < 50; turn++) expect(ended(instances.pick({ prefer: 'b1' }))).toBe('b1');
  away.add('b1');
  expect(['a1', 'a2']).toContain(ended(instances.pick({ prefer: 'b1' })));
});

test('geographic: the own region, the next one only when it is gone', () => {
  const distance: Readonly<Record<string, number>> = { 'eu-west': 0, 'eu-north': 1, 'us-east': 2 };
  const away = new Set<string>();
  const instances = new LoadBalancer();
  instances.update(
    endpoints.map(({ id, zone = '' }) => ({
      id,
      priority: distance[zone] ?? 3,
      get available() {
        return !away.has(id);
      },
    })),
  );
  expect(shares(100, () => ended(instances.pick()))).toEqual({ a1: expect.closeTo(1) });
  away.add('a1');
  expect(shares(100, () => ended(instances.pick()))).toEqual({ b1: expect.closeTo(1) });
});

test('by cost: half the price, twice the share', () => {
  const instances = new LoadBalancer({ strategy: 'round-robin' });
  instances.update(endpoints.map((each) => ({ ...each, weight: 1 / each.costPerHour })));
  const { a1 = 0, b1 = 0, a2 = 0 } = shares(7_000, () => ended(instances.pick()));
  expect([a1 / b1, b1 / a2]).toEqual([expect.closeTo(2, 1), expect.closeTo(2, 1)]);
});
