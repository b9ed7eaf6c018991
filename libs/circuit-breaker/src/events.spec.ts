import { expect, test } from '@jest/globals';
import { Events, type CircuitEventName } from './events.ts';
import { boom, fail, settled, throwBoom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip, virtual, type VirtualBreaker } from './testing/virtual-breaker.ts';

trapRejections();

const listening = (): VirtualBreaker => virtual({ maximumFailuresAllowed: 2, successThreshold: 1 });

test('tells what happens, in the order in which it happened', async () => {
  const { breaker, pass } = listening();
  const told: unknown[] = [];
  for (const type of ['stateChange', 'success', 'failure', 'rejected', 'ignored'] as const) {
    breaker.on(type, (event) => told.push([type, event]));
  }
  await breaker.execute(() => 1);
  breaker.tryAcquire()?.settle('ignored');
  await breaker.execute(fail).catch(() => undefined);
  await breaker.execute(fail).catch(() => undefined);
  breaker.tryAcquire();
  pass(30_000);
  await breaker.execute(() => 1);
  const circuit = 'users';
  expect(told).toEqual([
    ['success', { circuit }],
    ['ignored', { circuit }],
    ['failure', { circuit, error: boom }],
    ['failure', { circuit, error: boom }],
    ['stateChange', { circuit, from: 'closed', to: 'open', cause: boom }],
    ['rejected', { circuit, reason: 'open', retryAfterMs: 30_000, cause: boom, shadow: false }],
    ['stateChange', { circuit, from: 'open', to: 'half-open', cause: boom }],
    ['success', { circuit }],
    ['stateChange', { circuit, from: 'half-open', to: 'closed', cause: undefined }],
  ]);
});

test('B3, B18, goal 15: a listener that throws, now or later, hurts no call and is told as a fault', async () => {
  const { breaker } = listening();
  const bad = new Error('bad listener');
  const faults: unknown[] = [];
  const types: CircuitEventName[] = ['stateChange', 'success', 'failure', 'rejected', 'ignored', 'fault'];
  for (const type of types) {
    breaker.on(type, () => {
      throw bad;
    });
  }
  breaker.on('success', () => Promise.reject(bad));
  breaker.subscribe(() => {
    throw bad;
  });
  breaker.on('fault', ({ error }) => faults.push(error));
  await expect(breaker.execute(() => 'fine')).resolves.toBe('fine');
  await settled();
  expect(breaker.getSnapshot().totals).toEqual({ success: 1, failure: 0, ignored: 0, rejected: 0 });
  expect(faults).toEqual([bad, bad, bad]);
  await expect(breaker.execute(fail)).rejects.toBe(boom);
  await expect(breaker.execute(fail)).rejects.toBe(boom);
  expect(breaker.getSnapshot()).toMatchObject({ state: 'open', totals: { success: 1, failure: 2 } });
});

test('stops when told to, once and for that listener only, also in the middle of a delivery', () => {
  const { breaker } = listening();
  const heard: string[] = [];
  const listener = (): void => {
    heard.push('again');
  };
  const stopFirst = breaker.on('ignored', listener);
  breaker.on('ignored', listener);
  const stopThird: () => void = breaker.on('ignored', () => {
    heard.push('once');
    stopThird();
  });
  breaker.tryAcquire()?.settle('ignored');
  expect(heard).toEqual(['again', 'again', 'once']);
  stopFirst();
  stopFirst();
  breaker.tryAcquire()?.settle('ignored');
  expect(heard).toEqual(['again', 'again', 'once', 'again']);
});

test('a listener may call back in: it sees the change finished, and never lets one caller too many in', async () => {
  const { breaker, pass } = listening();
  await breaker.execute(fail).catch(() => undefined);
  const seen: unknown[] = [];
  breaker.on('failure', () => seen.push(breaker.state));
  await breaker.execute(fail).catch(() => undefined);
  expect(seen).toEqual(['open']);
  breaker.on('stateChange', () => seen.push(breaker.tryAcquire()));
  pass(30_000);
  expect(breaker.tryAcquire()).toBeDefined();
  expect(seen).toEqual(['open', undefined]);
});

test('every listener hears events in order, also when one of them calls back in', () => {
  const { breaker } = listening();
  breaker.on('stateChange', ({ to }) => {
    if (to === 'open') breaker.reset();
  });
  const heard: string[] = [];
  breaker.on('stateChange', ({ from, to }) => heard.push(`${from} -> ${to}`));
  breaker.subscribe(() => heard.push(breaker.state));
  breaker.tryAcquire()?.settle('failure');
  breaker.tryAcquire()?.settle('failure');
  expect(heard).toEqual(['closed', 'closed -> open', 'closed', 'open -> closed', 'closed']);
});

test('listeners that cause their own event without end are stopped and told as a fault', () => {
  const { breaker } = listening();
  breaker.tryAcquire()?.settle('failure');
  breaker.tryAcquire()?.settle('failure');
  const faults: unknown[] = [];
  breaker.on('fault', ({ error }) => faults.push(error));
  const stop = breaker.on('rejected', () => breaker.tryAcquire());
  expect(breaker.tryAcquire()).toBeUndefined();
  expect(faults).toEqual([new RangeError('circuitBreaker: a listener calls back in without end')]);
  stop();
  breaker.tryAcquire();
  expect(faults).toHaveLength(1);
});

test('is a store: the snapshot is frozen and stays the same object until something changes', async () => {
  const { breaker, pass } = listening();
  let changes = 0;
  const stop = breaker.subscribe(() => changes++);
  const first = breaker.getSnapshot();
  expect(Object.isFrozen(first) && Object.isFrozen(first.totals)).toBe(true);
  expect(breaker.getSnapshot()).toBe(first);
  await breaker.execute(fail).catch(() => undefined);
  expect(changes).toBe(1);
  const second = breaker.getSnapshot();
  expect(second).not.toBe(first);
  expect(first.failureCount).toBe(0);
  expect(second.failureCount).toBe(1);
  pass(29_000);
  expect(breaker.getSnapshot()).toBe(second);
  pass(5_000);
  // Only time has passed, but the failure has left the window.
  expect(breaker.getSnapshot().failureCount).toBe(0);
  stop();
  breaker.reset();
  expect(changes).toBe(1);
});

test('the snapshot of an open circuit counts down in seconds', async () => {
  const { breaker, pass } = listening();
  await breaker.execute(fail).catch(() => undefined);
  await breaker.execute(fail).catch(() => undefined);
  const first = breaker.getSnapshot();
  expect(first).toMatchObject({ state: 'open', openedAt: 0, retryAfterMs: 30_000, failureCount: 2 });
  pass(999);
  expect(breaker.getSnapshot()).toBe(first);
  pass(1);
  expect(breaker.getSnapshot().retryAfterMs).toBe(29_000);
  pass(29_000);
  expect(breaker.getSnapshot()).toMatchObject({ state: 'half-open', openedAt: 0, retryAfterMs: 0 });
});

test('nobody is listening once all have stopped, each of them twice', () => {
  const events = new Events('users');
  expect(events.active).toBe(false);
  const stops = [
    events.add('success', () => undefined),
    events.add('success', () => undefined),
    events.add('change', () => undefined),
  ];
  for (const stop of stops) {
    expect(events.active).toBe(true);
    stop();
    stop();
  }
  expect(events.active).toBe(false);
});

test('a listener that has stopped leaves those to other events alone', () => {
  const events = new Events('users');
  const stop = events.add('success', () => undefined);
  let changes = 0;
  events.add('change', () => changes++);
  stop();
  stop();
  events.flush();
  expect(changes).toBe(1);
});

test('a fault that nobody listens to hurts nobody', async () => {
  const options = { maximumFailuresAllowed: 1, classify: throwBoom };
  const [deaf, listening] = [virtual(options), virtual(options)];
  listening.breaker.on('success', () => undefined);
  for (const { breaker } of [deaf, listening]) {
    await expect(breaker.execute(() => 'fine')).resolves.toBe('fine');
    await expect(breaker.execute(fail)).rejects.toBe(boom);
    expect(breaker.state).toBe('open');
  }
});

test('the end of a break is told by the call that finds it, not by its result', async () => {
  const { breaker, pass } = listening();
  await trip(breaker, 2);
  const told: unknown[] = [];
  breaker.on('stateChange', ({ to }) => told.push(to));
  pass(30_000);
  expect(breaker.state).toBe('half-open');
  expect(told).toEqual([]);
  breaker.tryAcquire();
  expect(told).toEqual(['half-open']);
});
