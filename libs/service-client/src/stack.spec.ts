import { describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import fc from 'fast-check';
import { callPolicy } from './call-policy.ts';
import { isNoInstanceError, isTimeoutError } from './errors.ts';
import { Scene, abc, type SceneOptions } from './testing/fake-transport.ts';

const scene = (options?: SceneOptions): Scene => new Scene(new VirtualTime(), options);
const reset = (): Error =>
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a kept connection that was closed just when the request came (stale, research/gateway 2.1.3)', () => {
  function stale(of: Scene): void {
    const error = reset();
    of.transport.reused.add(error);
    of.transport.last.fail(error);
  }

  test('a GET is sent once more at once on a fresh connection: no retry, nobody is blamed', async () => {
    const of = scene({ retry: { maxRetries: 0, budgetRatio: 0, minRetriesPerSecond: 0 } });
    const caller = of.call();
    stale(of);
    await settled();
    expect(of.transport.sent.map(({ fresh }) => fresh)).toEqual([false, true]);
    of.transport.last.answer(200);
    expect(caller.events).toEqual(['start', '200', 'end']);
    expect(of.attempts.map(({ outcome }) => outcome)).toEqual(['ignored', 'success']);
    expect(of.calls).toMatchObject([{ status: 200, retries: 0 }]);
    expect(of.snapshot?.figures).toMatchObject({ rescues: 1, retries: 0, attempts: 2 });
    expect(of.snapshot?.instances.every(({ failureCount }) => failureCount === 0)).toBe(true);
  });

  test('only once: the second time it is a failed connection like any other', async () => {
    const of = scene({ retry: { maxRetries: 0 } });
    const caller = of.call();
    stale(of);
    await settled();
    stale(of);
    await settled();
    expect(caller.events).toEqual(['start', 'error']);
  });

  test('a POST is not sent again', async () => {
    const of = scene();
    const caller = of.call({}, { method: 'POST', body: 'x' });
    stale(of);
    await settled();
    expect([of.transport.sent.length, caller.events.at(-1)]).toEqual([1, 'error']);
  });

  test('a connection that broke after the first byte of an answer is no stale one', async () => {
    const of = scene({ retry: { maxRetries: 0 } });
    const caller = of.call();
    of.transport.last.head(200);
    stale(of);
    await settled();
    expect([of.transport.sent.length, caller.events]).toEqual([1, ['start', '200', 'error']]);
  });
});

describe('hedging', () => {
  const rules = { hedge: { delayMs: 30 } };

  test('a slow attempt gets a rival at another instance; the loser is aborted and says nothing', async () => {
    const of = scene({ rules });
    const caller = of.call();
    await of.time.advance(29);
    expect(of.transport.sent).toHaveLength(1);
    await of.time.advance(1);
    const [slow, quick] = of.transport.sent;
    expect(quick?.address.port).not.toBe(slow?.address.port);
    quick?.answer(200);
    expect(slow?.aborted).toBe(true);
    expect(caller.events).toEqual(['start', '200', 'end']);
    expect(of.attempts.map(({ outcome }) => outcome).sort()).toEqual(['ignored', 'success']);
    expect([of.inflight, of.snapshot?.figures?.hedges]).toEqual([0, 1]);
  });

  test('the first may still win', async () => {
    const of = scene({ rules });
    const caller = of.call();
    await of.time.advance(30);
    of.transport.sent[0]?.answer(200);
    expect(of.transport.sent[1]?.aborted).toBe(true);
    expect([caller.events, of.inflight]).toEqual([['start', '200', 'end'], 0]);
  });

  test('one that fails or is busy leaves the call to the other; when both have, it is retried', async () => {
    const of = scene({ rules });
    const caller = of.call();
    await of.time.advance(30);
    of.transport.sent[0]?.answer(503);
    expect(caller.events).toEqual(['start']);
    of.transport.sent[1]?.fail(reset());
    await of.time.advance(0);
    expect(of.transport.sent).toHaveLength(3);
    of.transport.last.answer(200);
    expect(caller.events).toEqual(['start', '200', 'end']);
  });

  test.each([
    ['a POST', {}, { method: 'POST', body: 'x' }],
    ['a call that got its head', { head: true }, {}],
    ['a call without budget', { budget: true }, {}],
    ['a call of a lone instance', { lone: true }, {}],
  ])(
    '%s is not hedged',
    async (_, { head, budget, lone }: { head?: boolean; budget?: boolean; lone?: boolean }, more) => {
      const of = scene({
        rules,
        ...(lone === true && { instances: abc.slice(0, 1) }),
        ...(budget === true && { pools: { retryBudget: { budgetRatio: 0, minRetriesPerSecond: 0 } } }),
      });
      of.call({}, more);
      if (head === true) of.transport.last.head(200);
      await of.time.advance(1000);
      expect(of.transport.sent).toHaveLength(1);
    },
  );

  test('an abort reaches both', async () => {
    const of = scene({ rules });
    const caller = of.call();
    await of.time.advance(30);
    caller.flow?.abort(new Error('enough'));
    expect(of.transport.sent.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect([caller.events, of.inflight]).toEqual([['start', 'error'], 0]);
  });

  test('a policy of the call turns it off, and on', async () => {
    const off = scene({ rules });
    off.call({ policy: callPolicy({ hedge: false }) });
    const on = scene();
    on.call({ policy: callPolicy({ hedge: { delayMs: 10, maxHedges: 2 } }) });
    await Promise.all([off.time.advance(100), on.time.advance(100)]);
    expect([off.transport.sent.length, on.transport.sent.length]).toEqual([1, 3]);
  });
});

describe('the time that is left', () => {
  test('goes upstream with each attempt, and the shorter of ours and the incoming one holds', async () => {
    const of = scene();
    of.call({ timeoutMs: 1000 });
    expect(of.transport.last.header('x-request-timeout-ms')).toBe('1000');
    of.transport.last.answer(503);
    await of.time.advance(50);
    expect(of.transport.last.header('x-request-timeout-ms')).toBe('950');

    const caller = of.call({ timeoutMs: 1000 }, { headers: ['X-Request-Timeout-Ms', '200'] });
    expect(of.transport.last.header('x-request-timeout-ms')).toBe('200');
    expect(of.transport.last.header('X-Request-Timeout-Ms')).toBeUndefined();
    await of.time.advance(199);
    expect(caller.events).toEqual(['start']);
    await of.time.advance(51);
    expect(isTimeoutError(caller.error)).toBe(true);
  });

  test('without a deadline nothing is said', () => {
    const of = scene();
    of.call();
    expect(of.transport.last.header('x-request-timeout-ms')).toBeUndefined();
  });

  test('a point in time is a deadline too', async () => {
    const of = scene();
    const caller = of.call({ deadlineAt: 300, timeoutMs: 5000 });
    await of.time.advance(350);
    expect(isTimeoutError(caller.error)).toBe(true);
  });

  test('silence within a body ends it, unless the caller asked for a pause', async () => {
    const of = scene({ rules: { bodyTimeoutMs: 100 } });
    const [silent, paused] = [of.call(), of.call()];
    for (const exchange of of.transport.sent) exchange.head(200);
    paused.flow?.pause();
    await of.time.advance(90);
    of.transport.sent[0]?.data();
    await of.time.advance(90);
    expect(silent.events).toEqual(['start', '200']);
    await of.time.advance(70);
    expect(isTimeoutError(silent.error)).toBe(true);
    expect(paused.events).toEqual(['start', '200']);
    paused.flow?.resume();
    await of.time.advance(200);
    expect(isTimeoutError(paused.error)).toBe(true);
    expect(of.inflight).toBe(0);
  });
});

describe('what is repeated', () => {
  test('with elsewhereOnly a 503 of the only instance is passed on: one hit', async () => {
    const of = scene({ instances: abc.slice(0, 1), rules: { retry: { elsewhereOnly: true } } });
    const caller = of.call();
    of.transport.last.answer(503);
    await of.time.advance(10_000);
    expect([of.transport.sent.length, caller.events]).toEqual([1, ['start', '503', 'end']]);
  });

  test('named codes of errors are, others are not', async () => {
    const own = Object.assign(new Error('own'), { code: 'ERR_OWN' });
    const named = scene({ rules: { retry: { codes: ['ERR_OWN'] } } });
    const unnamed = scene();
    for (const each of [named, unnamed]) {
      each.call();
      each.transport.last.fail(own);
      await each.time.advance(0);
    }
    expect([named.transport.sent.length, unnamed.transport.sent.length]).toEqual([2, 1]);
  });

  test('a POST with X-Idempotency-Key is', async () => {
    const of = scene();
    of.call({}, { method: 'POST', body: 'x', headers: ['X-Idempotency-Key', '1'] });
    of.transport.last.fail(reset());
    await of.time.advance(0);
    expect(of.transport.sent).toHaveLength(2);
  });
});

describe('whom a call may ask', () => {
  const versions = abc.map((instance, at) => ({
    ...instance,
    metadata: { version: at === 2 ? '2' : '1', tier: at },
  }));

  test('only instances with the wanted metadata, also on a retry', async () => {
    const of = scene({ instances: versions });
    of.call({ where: { version: '2' } });
    of.transport.last.answer(503);
    await of.time.advance(1000);
    expect(of.transport.sent.map(({ address }) => address.port)).toEqual([4002, 4002]);
    of.call({ where: { tier: '0' } });
    expect(of.transport.last.address.port).toBe(4000);
    const nobody = of.call({ where: { version: '3' } });
    expect(isNoInstanceError(nobody.error)).toBe(true);
    expect(of.snapshot?.figures?.rejections).toEqual({ ERR_NO_INSTANCE: 1 });
  });

  test('a route class has circuits of its own', () => {
    const of = scene({
      instances: abc.slice(0, 1),
      pools: { circuitBreaker: { maximumFailuresAllowed: 1 } },
    });
    const changes: unknown[] = [];
    const watched = scene({
      instances: abc.slice(0, 2),
      pools: {
        circuitBreaker: { maximumFailuresAllowed: 1 },
        observer: { circuitChanged: (change) => changes.push(change) },
      },
    });
    watched.call({ routeClass: 'reports' });
    watched.transport.last.answer(500);
    const bad = watched.transport.last.address.port;
    for (let i = 0; i < 4; i++) {
      watched.call({ routeClass: 'reports' });
      expect(watched.transport.last.address.port).not.toBe(bad);
      watched.transport.last.answer(200);
    }
    const asked = [1, 2].map(() => {
      watched.call();
      watched.transport.last.answer(200);
      return watched.transport.last.address.port;
    });
    expect(asked).toContain(bad);
    expect(changes).toMatchObject([{ service: 'user-service', routeClass: 'reports', state: 'open' }]);
    of.call({ routeClass: 'reports' });
    of.transport.last.answer(500);
    expect(of.snapshot?.instances[0]).toMatchObject({ state: 'closed' });
  });

  test('an instance with scheme https is called over TLS', () => {
    const of = scene({ instances: [{ id: 'a', host: 'a.test', port: 1, metadata: { scheme: 'https' } }] });
    of.call();
    expect(of.transport.last.address).toEqual({ scheme: 'https', host: 'a.test', port: 1 });
  });

  test('connections belong to the instances that are there', () => {
    const of = scene();
    of.call();
    expect([...of.transport.users]).toEqual([
      [4000, 1],
      [4001, 1],
      [4002, 1],
    ]);
    of.discovery.set(abc.slice(1).map((instance) => ({ ...instance, weight: 2 })));
    of.call();
    expect([...of.transport.users]).toEqual([
      [4000, 0],
      [4001, 1],
      [4002, 1],
    ]);
  });
});

describe('gates before a service', () => {
  test('a full bulkhead refuses at once; its slot is free when the body has ended', () => {
    const of = scene({ pools: { services: { 'user-service': { bulkhead: { maxConcurrent: 1 } } } } });
    const first = of.call();
    const second = of.call();
    expect(second.error).toMatchObject({ code: 'ERR_BULKHEAD_FULL', retryAfterMs: 1000 });
    of.transport.last.head(200);
    expect(of.call().error).toMatchObject({ code: 'ERR_BULKHEAD_FULL' });
    of.transport.last.end();
    expect(first.events).toEqual(['start', '200', 'end']);
    expect(of.call().events).toEqual(['start']);
    expect(of.snapshot?.figures?.rejections).toEqual({ ERR_BULKHEAD_FULL: 2 });
  });

  test('a queue is bounded, ends with its call, and is served in order', async () => {
    const of = scene({
      pools: { services: { 'user-service': { bulkhead: { maxConcurrent: 1, maxQueue: 2 } } } },
    });
    of.call();
    const [gone, waits, late] = [of.call({ timeoutMs: 100 }), of.call(), of.call()];
    await settled();
    expect(late.error).toMatchObject({ code: 'ERR_BULKHEAD_FULL' });
    await of.time.advance(150);
    expect(isTimeoutError(gone.error)).toBe(true);
    of.transport.last.answer(200);
    await settled();
    expect(of.transport.sent).toHaveLength(2);
    of.transport.last.answer(200);
    expect(waits.events).toEqual(['start', '200', 'end']);
    await settled();
    expect(of.pools.gatesOf('user-service')?.load).toEqual({ active: 0, queued: 0 });
  });

  test('a rate that is used up refuses, and says when to come back; a refusal for lack of room gives it back', () => {
    const rateLimit = { limit: 2, periodMs: 1000 };
    const of = scene({ pools: { services: { 'user-service': { rateLimit } } } });
    of.call();
    of.call();
    const third = of.call();
    expect(third.error).toMatchObject({ code: 'ERR_RATE_LIMITED' });
    expect((third.error as { retryAfterMs?: number }).retryAfterMs).toBeGreaterThan(0);
    const tight = scene({
      pools: { services: { 'user-service': { rateLimit, bulkhead: { maxConcurrent: 1 } } } },
    });
    tight.call();
    for (let i = 0; i < 5; i++) expect(tight.call().error).toMatchObject({ code: 'ERR_BULKHEAD_FULL' });
  });

  test('limits of a service hold over those of the client, those of a call over both', async () => {
    const of = scene({
      rules: { timeoutMs: 1000 },
      pools: { services: { 'user-service': { timeoutMs: 200, retry: false } } },
    });
    // The first call of a service makes it known.
    of.call();
    of.transport.last.answer(200);
    const [service, own] = [of.call(), of.call({ policy: callPolicy({ timeoutMs: 500 }) })];
    await of.time.advance(250);
    expect([isTimeoutError(service.error), own.events]).toEqual([true, ['start']]);
  });
});

test('what an observer throws hurts nobody', () => {
  const boom = (): never => {
    throw new Error('observer');
  };
  const of = scene({ observer: { attemptEnded: boom, callEnded: boom, retried: boom, rejected: boom } });
  const caller = of.call();
  of.transport.last.answer(200);
  expect(caller.events).toEqual(['start', '200', 'end']);
});

test('after any schedule of answers, failures, aborts and waits: one end, and permit, slot, load and alarms are free', async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('call' as const),
        timeoutMs: fc.constantFrom(0, 40, 900),
        method: fc.constantFrom('GET', 'POST'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('start' as const), which: fc.nat(30) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('head' as const),
        which: fc.nat(30),
        status: fc.constantFrom(103, 200, 404, 500, 503),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('data' as const, 'end' as const, 'reset' as const, 'stale' as const),
        which: fc.nat(30),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), which: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(600) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('registry' as const), ids: fc.subarray(['a', 'b', 'c']) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, holds) => {
      const time = new VirtualTime();
      const of = new Scene(time, {
        rules: { attemptTimeoutMs: 300, bodyTimeoutMs: 300, hedge: { delayMs: 80 } },
        pools: {
          circuitBreaker: { maximumFailuresAllowed: 2, resetTimeoutInMilliseconds: 500, clock: time },
          services: { 'user-service': { bulkhead: { maxConcurrent: 5, maxQueue: 3 } } },
        },
      });
      of.transport.holds = holds;
      const callers: ReturnType<Scene['call']>[] = [];
      for (const one of steps) {
        const open = of.transport.sent.filter(({ isOver }) => !isOver);
        const exchange = 'which' in one ? open[one.which % Math.max(1, open.length)] : undefined;
        if (one.kind === 'call') callers.push(of.call({ timeoutMs: one.timeoutMs }, { method: one.method }));
        else if (one.kind === 'start') exchange?.start();
        else if (one.kind === 'head') exchange?.head(one.status);
        else if (one.kind === 'data') exchange?.data();
        else if (one.kind === 'end') exchange?.answer(200);
        else if (one.kind === 'reset') exchange?.fail(reset());
        else if (one.kind === 'stale') {
          const error = reset();
          of.transport.reused.add(error);
          exchange?.fail(error);
        } else if (one.kind === 'abort')
          callers[one.which % Math.max(1, callers.length)]?.flow?.abort(new Error('enough'));
        else if (one.kind === 'wait') await of.time.advance(one.ms);
        else if ('ids' in one) of.discovery.set(abc.filter(({ id }) => one.ids.includes(id)));
        await Promise.resolve();
      }
      for (const { flow } of callers) flow?.abort(new Error('the test is over'));
      await settled();
      // Nothing is under way any more, at once: an abort frees everything in the same turn.
      of.discovery.set(abc);
      expect(of.transport.sent.filter(({ isOver }) => !isOver && !of.transport.holds)).toEqual([]);
      expect(of.pools.gatesOf('user-service')?.load).toEqual({ active: 0, queued: 0 });
      expect([of.inflight, of.stack.wheel.armed]).toEqual([0, 0]);
      await of.time.advance(2000);
      expect(of.time.pending).toBe(0);
      for (const { events } of callers) {
        expect(events.filter((event) => event === 'start')).toHaveLength(1);
        expect(events.filter((event) => event === 'end' || event === 'error')).toHaveLength(1);
      }
      expect(of.calls).toHaveLength(callers.length);
      // No trial of a half-open circuit was lost: after its time every instance may be asked again.
      of.call();
      expect(of.snapshot?.instances.every(({ available }) => available)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
