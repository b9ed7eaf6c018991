import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createCallContext } from './call-context.ts';
import type { ServiceInstance } from './discovery.ts';
import { ServicePool, ServicePools } from './service-pool.ts';

const instance = (id: string, more: Partial<ServiceInstance> = {}): ServiceInstance => ({
  id,
  host: '127.0.0.1',
  port: 4000,
  ...more,
});
const abc = ['a', 'b', 'c'].map((id) => instance(id));

function pool(instances: readonly ServiceInstance[] = abc, now = { time: 0 }): ServicePool {
  const clock = { now: () => now.time };
  const circuitBreaker = { maximumFailuresAllowed: 1, resetTimeoutInMilliseconds: 1000, clock };
  return new ServicePool('user-service', { strategy: 'round-robin', circuitBreaker, clock }).update(
    instances,
  );
}

const state = (of: ServicePool): Record<string, string> =>
  Object.fromEntries(of.getSnapshot().instances.map(({ id, state }) => [id, state]));

/** Opens the circuit of an instance by one failure. */
function trip(of: ServicePool, id: string): void {
  const others = of
    .getSnapshot()
    .instances.map((one) => one.id)
    .filter((other) => other !== id);
  const context = createCallContext();
  context.tried = new Set(others);
  const admission = of.admit(context);
  expect(admission?.instance).toBe(id);
  admission?.settle('failure');
  admission?.release();
}

test('an instance that is taken out, and its return, are told, counted and seen; what an observer throws is dropped', () => {
  let time = 0;
  const told: unknown[] = [];
  const clock = { now: () => time };
  const of = new ServicePool('user-service', {
    strategy: 'round-robin',
    circuitBreaker: { maximumFailuresAllowed: 100 },
    balancing: { ejection: { consecutiveFailures: 2, baseMs: 1_000, jitterMs: 0 } },
    clock,
    observer: {
      ejected: (event) => {
        told.push(event);
        throw new Error('not the business of a call');
      },
      restored: (event) => told.push(event),
    },
  }).update(abc);
  const end = (outcome: 'failure' | 'success'): void => {
    const context = createCallContext();
    context.tried = new Set(['b', 'c']);
    const admission = of.admit(context);
    expect(admission?.instance).toBe('a');
    admission?.settle(outcome);
    admission?.release();
  };
  const ejected = (): string[] =>
    of
      .getSnapshot()
      .instances.filter((one) => one.ejected)
      .map(({ id }) => id);
  end('failure');
  end('failure');
  expect(ejected()).toEqual(['a']);
  time = 1_000;
  expect(ejected()).toEqual(['a']);
  end('success');
  expect(ejected()).toEqual([]);
  expect(told).toEqual([
    { service: 'user-service', instance: 'a', termMs: 1_000 },
    { service: 'user-service', instance: 'a' },
  ]);
  expect(of.getSnapshot().figures?.ejections).toBe(1);
});

describe('admit', () => {
  test('names instance and origin, also of IPv6, and keeps book on the context', () => {
    const of = pool([instance('six', { host: '::1', port: 80 })]);
    const context = createCallContext();
    const admission = of.admit(context);
    expect(admission).toMatchObject({ instance: 'six', origin: 'http://[::1]:80' });
    expect(context).toMatchObject({ instance: 'six', attempts: 1 });
    expect(of.hasOthers(context)).toBe(false);
  });

  test('does not repeat an instance while another is left, then starts over', () => {
    const of = pool();
    const context = createCallContext();
    const asked = Array.from({ length: 6 }, () => of.admit(context)?.instance);
    expect(new Set(asked.slice(0, 3))).toEqual(new Set(['a', 'b', 'c']));
    expect(context.attempts).toBe(6);
    expect(context.tried?.size).toBe(3);
  });

  test('a single instance is asked again', () => {
    const of = pool([instance('only')]);
    const context = createCallContext();
    expect([of.admit(context)?.instance, of.admit(context)?.instance]).toEqual(['only', 'only']);
    expect(of.hasOthers(context)).toBe(false);
  });

  test('avoids open circuits', () => {
    const of = pool();
    trip(of, 'b');
    const asked = Array.from({ length: 20 }, () => of.admit(createCallContext())?.instance);
    expect(new Set(asked)).toEqual(new Set(['a', 'c']));
  });

  test('prefers a tried instance that may be asked to an untried one whose circuit is open', () => {
    const of = pool(abc.slice(0, 2));
    trip(of, 'b');
    const context = createCallContext();
    expect(of.admit(context)?.instance).toBe('a');
    // An open circuit is nowhere to go: the next attempt keeps its back-off and the instance's Retry-After.
    expect(of.hasOthers(context)).toBe(false);
    expect(of.admit(context)?.instance).toBe('a');
  });

  test('asks anyway, without a permit, when every circuit is open', () => {
    const of = pool();
    for (const { id } of abc) trip(of, id);
    const context = createCallContext();
    const asked = Array.from({ length: 3 }, () => {
      const admission = of.admit(context);
      admission?.settle('success');
      admission?.release();
      return admission?.instance;
    });
    expect(new Set(asked)).toEqual(new Set(['a', 'b', 'c']));
    expect(Object.values(state(of))).toEqual(['open', 'open', 'open']);
  });

  test('goes elsewhere when a half-open circuit has given its trials away', () => {
    const now = { time: 0 };
    const of = pool(abc, now);
    trip(of, 'a');
    now.time = 1000;
    const asked = Array.from({ length: 30 }, () => of.admit(createCallContext())?.instance);
    expect(asked.filter((id) => id === 'a')).toHaveLength(2);
    expect(asked.every((id) => id !== undefined)).toBe(true);
  });

  test('is undefined only when there is nobody', () => {
    expect(pool([]).admit(createCallContext())).toBeUndefined();
  });
});

describe('update', () => {
  test('a changed record keeps its circuit, another incarnation starts with a clean one', () => {
    const of = pool([instance('a', { incarnation: '1' })]);
    trip(of, 'a');
    of.update([instance('a', { incarnation: '1', port: 4001 })]);
    expect(of.getSnapshot().instances[0]).toMatchObject({ state: 'open', port: 4001 });
    of.update([instance('a', { incarnation: '2' })]);
    expect(state(of)).toEqual({ a: 'closed' });
  });

  test('forgets instances that have left', () => {
    const of = pool();
    trip(of, 'b');
    of.update(abc.filter(({ id }) => id !== 'b'));
    expect(state(of)).toEqual({ a: 'closed', c: 'closed' });
    of.update(abc);
    expect(state(of)).toEqual({ a: 'closed', b: 'closed', c: 'closed' });
  });

  test('one record with a weight that is none does not fail the others', () => {
    for (const weight of [-1, NaN, Infinity]) {
      expect(pool([instance('a', { weight }), instance('b')]).admit(createCallContext())).toBeDefined();
    }
  });
});

describe('load', () => {
  test('the outcome is settled once, the load once', () => {
    const of = pool([instance('a')]);
    const admission = of.admit(createCallContext());
    expect(of.getSnapshot().instances[0]).toMatchObject({ inflight: 1, picks: 1 });
    admission?.settle('success');
    admission?.settle('failure');
    expect(of.getSnapshot().instances[0]).toMatchObject({ inflight: 1, state: 'closed' });
    admission?.release();
    admission?.release();
    expect(of.getSnapshot().instances[0]).toMatchObject({ inflight: 0, failureCount: 0 });
  });

  test('after any schedule every load is back at 0 and no trial slot is lost', () => {
    const outcome = fc.constantFrom('success' as const, 'failure' as const, 'ignored' as const, undefined);
    const step = fc.oneof(
      fc.record({ kind: fc.constant('admit' as const), tried: fc.subarray(['a', 'b', 'c']) }),
      fc.record({ kind: fc.constant('end' as const), outcome, which: fc.nat(20) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(1500) }),
      fc.record({
        kind: fc.constant('update' as const),
        ids: fc.subarray(['a', 'b', 'c'], { minLength: 1 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const now = { time: 0 };
        const of = pool(abc, now);
        const open: NonNullable<ReturnType<ServicePool['admit']>>[] = [];
        for (const one of steps) {
          if (one.kind === 'wait') now.time += one.ms;
          else if (one.kind === 'update') of.update(one.ids.map((id) => instance(id)));
          else if (one.kind === 'admit') {
            const context = createCallContext();
            context.tried = new Set(one.tried);
            const admission = of.admit(context);
            expect(admission).toBeDefined();
            if (admission !== undefined) open.push(admission);
          } else {
            const [ended] = open.splice(one.which % Math.max(1, open.length), 1);
            if (one.outcome !== undefined) ended?.settle(one.outcome);
            ended?.release();
          }
          const inflight = of.getSnapshot().instances.reduce((sum, each) => sum + each.inflight, 0);
          expect(inflight).toBeLessThanOrEqual(open.length);
        }
        for (const admission of open) admission.release();
        of.update(abc);
        expect(of.getSnapshot().instances.map(({ inflight }) => inflight)).toEqual([0, 0, 0]);
        // Every circuit must let someone through once its reset timeout is over.
        now.time += 10_000;
        expect(of.getSnapshot().instances.every(({ available }) => available)).toBe(true);
      }),
    );
  });
});

describe('ServicePools', () => {
  test('remembers a bounded number of services, and none without instances', () => {
    const pools = new ServicePools({ maxServices: 2 });
    for (const name of ['one', 'two', 'three']) pools.update(name, abc);
    expect(Object.keys(pools.getSnapshot())).toEqual(['two', 'three']);
    expect(pools.update('made-up', [])).toBeUndefined();
    expect(Object.keys(pools.getSnapshot())).toEqual(['two', 'three']);
    expect(pools.update('two', [])?.getSnapshot().instances).toEqual([]);
  });

  test('a snapshot is frozen plain data', () => {
    const pools = new ServicePools();
    pools.update('one', abc);
    const snapshot = pools.getSnapshot();
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(Object.isFrozen(snapshot) && Object.isFrozen(snapshot.one?.instances)).toBe(true);
    expect(Object.isFrozen(snapshot.one?.instances[0])).toBe(true);
  });

  test('options are checked at once', () => {
    expect(() => new ServicePools({ circuitBreaker: { maximumFailuresAllowed: 0 } })).toThrow(RangeError);
    expect(() => new ServicePools({ strategy: 'best' as 'random' })).toThrow(RangeError);
    expect(() => new ServicePools({ maxServices: 0 })).toThrow(RangeError);
  });
});
