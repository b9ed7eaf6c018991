import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { resolveServices, type ServiceDefinition } from './definition.ts';
import type { Group, InstanceHost } from './instance-host.ts';
import type { MeshEvent, ProcessState } from './mesh-event.ts';
import { isMeshStartError } from './mesh-start-error.ts';
import type { GroupExit } from './process-group.ts';
import { ProcessInstance } from './process-instance.ts';
import type { GateResult } from './readiness.ts';

/** Lets everything happen that does not wait for the outside. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class FakeGroup implements Group {
  readonly pid: number | undefined;
  readonly exited: Promise<GroupExit>;
  alive = true;
  asked = false;
  #resolve: (exit: GroupExit) => void = () => undefined;

  constructor(pid: number | undefined) {
    this.pid = pid;
    this.exited = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  exit(exit: GroupExit): void {
    this.alive = false;
    this.#resolve(exit);
  }

  stop(): Promise<GroupExit> {
    this.asked = true;
    return this.exited;
  }

  kill(): void {
    this.exit({ code: null, signal: 'SIGKILL' });
  }
}

/** A world in which nothing happens by itself. */
class World implements InstanceHost {
  readonly events: MeshEvent[] = [];
  readonly groups: FakeGroup[] = [];
  readonly timers = new Map<() => void, number>();
  gates: { timeoutMs: number; answer: (result: GateResult) => void }[] = [];
  readonly backOff = { random: (): number => 0.5 };
  time = 0;
  blocked: string | undefined;
  pid: number | undefined = 100;
  fault: Error | undefined;

  emit(event: MeshEvent): void {
    this.events.push(event);
  }

  claimPort(instance: { port: number }): Promise<{ port: number } | { blocked: string }> {
    return Promise.resolve(this.blocked === undefined ? { port: instance.port } : { blocked: this.blocked });
  }

  prepare(): { cwd: string; env: Record<string, string>; registrationUrl: string } {
    if (this.fault !== undefined) throw this.fault;
    return { cwd: '.', env: {}, registrationUrl: 'http://127.0.0.1:3000/services/user-service' };
  }

  createGroup(): FakeGroup {
    const group = new FakeGroup(this.pid);
    if (this.pid === undefined) group.exit({ code: null, signal: null, error: new Error('spawn ENOENT') });
    this.groups.push(group);
    return group;
  }

  waitForGate(
    _: unknown,
    { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
  ): Promise<GateResult> {
    return new Promise((resolve) => {
      const gate = { timeoutMs, answer: resolve };
      this.gates.push(gate);
      signal.addEventListener('abort', () => {
        this.gates = this.gates.filter((other) => other !== gate);
        resolve({ outcome: 'aborted' });
      });
    });
  }

  now(): number {
    return this.time;
  }

  after(ms: number, callback: () => void): () => void {
    this.timers.set(callback, this.time + ms);
    return () => this.timers.delete(callback);
  }

  get group(): FakeGroup {
    const group = this.groups.at(-1);
    if (group === undefined) throw new Error('nothing was started');
    return group;
  }

  states(): string[] {
    return this.events.flatMap((event) => (event.type === 'state' ? event.state : []));
  }

  last(): Extract<MeshEvent, { type: 'state' }> | undefined {
    return this.events.filter((event) => event.type === 'state').at(-1);
  }

  async advance(ms: number): Promise<void> {
    this.time += ms;
    for (const [callback, at] of this.timers) {
      if (at > this.time) continue;
      this.timers.delete(callback);
      callback();
    }
    await settle();
  }

  async pass(count = 1): Promise<void> {
    for (let passed = 0; passed < count; passed++) {
      this.gates.shift()?.answer({ outcome: 'passed' });
      await settle();
    }
  }

  async exit(code: number | null, signal: string | null = null): Promise<void> {
    this.group.exit({ code, signal });
    await settle();
  }
}

function create(definition: Partial<ServiceDefinition> = {}): { world: World; user: ProcessInstance } {
  const world = new World();
  const [service] = resolveServices({
    services: { user: { command: ['node'], ports: 4000, ...definition } },
  });
  return { world, user: new ProcessInstance(service!, 4000, world) };
}

async function ready(
  definition?: Partial<ServiceDefinition>,
): Promise<{ world: World; user: ProcessInstance }> {
  const { world, user } = create(definition);
  const started = user.start();
  await settle();
  await world.pass(3);
  await started;
  return { world, user };
}

test('it passes its gates one after the other, each with its own time', async () => {
  const { world, user } = create();
  const started = user.start();
  await settle();
  for (const ms of [10, 20, 30]) {
    world.time += ms;
    await world.pass();
  }
  await started;
  expect(world.states()).toEqual(['starting', 'listening', 'healthy', 'ready']);
  expect(user.getSnapshot()).toEqual({
    instance: 'user-4000',
    service: 'user',
    port: 4000,
    url: 'http://127.0.0.1:4000',
    pid: 100,
    state: 'ready',
    restarts: 0,
    gates: { listening: 10, healthy: 30, registered: 60 },
    readyMs: 60,
    reason: undefined,
  });
});

test('a crash is answered with restarts after longer and longer delays, and the fifth is the last', async () => {
  const { world, user } = await ready();
  const delays: (number | undefined)[] = [];
  for (let crash = 0; crash < 5; crash++) {
    await world.exit(1);
    delays.push(world.last()?.restartInMs);
    await world.advance(2000);
  }
  expect(delays).toEqual([250, 500, 1000, 2000, undefined]);
  expect(user.getSnapshot()).toMatchObject({
    state: 'failed',
    restarts: 4,
    reason: 'crashed 5 times within 60 s, and at last ended with exit code 1',
  });
  expect(world.timers.size).toBe(0);
});

test('half a minute of health forgets the crashes before', async () => {
  const { world } = await ready();
  await world.exit(1);
  await world.advance(250);
  await world.pass(3);
  await world.advance(30_000);
  await world.exit(null, 'SIGSEGV');
  expect(world.last()).toMatchObject({
    state: 'backing-off',
    restartInMs: 250,
    reason: 'was ended by SIGSEGV',
  });
});

test('exit code 0 is no crash', async () => {
  const { world, user } = await ready();
  await world.exit(0);
  await world.advance(60_000);
  expect(user.state).toBe('stopped');
  expect(world.groups).toHaveLength(1);
});

test('what may not be restarted fails with its last 20 lines', async () => {
  const { world, user } = await ready({ restart: 'never' });
  await world.exit(3);
  expect(user.state).toBe('failed');
  expect(world.last()).toMatchObject({ reason: 'ended with exit code 3', lastLines: [] });
});

test('a start that asks for too long ends it and says at which gate it waited', async () => {
  const { world, user } = create({ startTimeoutMs: 5000 });
  const started = user.start().catch((error: unknown) => error);
  await settle();
  await world.pass();
  expect(world.gates[0]?.timeoutMs).toBe(5000);
  world.gates[0]?.answer({ outcome: 'timeout', reason: 'http://x/health answered 503' });
  await settle();
  expect(user.state).toBe('stopping');
  await world.exit(0);
  const error = await started;
  expect(isMeshStartError(error) && error.failure).toBe('timeout');
  expect((error as Error).message).toBe(
    'user-4000 was not healthy within 5000 ms: http://x/health answered 503',
  );
  expect(user.state).toBe('failed');
});

test('a restarted process that comes up too slowly counts as one more crash', async () => {
  const { world } = await ready();
  await world.exit(1);
  await world.advance(250);
  world.gates[0]?.answer({ outcome: 'timeout', reason: 'nothing listens' });
  await settle();
  await world.exit(0);
  expect(world.last()).toMatchObject({ state: 'backing-off', restartInMs: 500 });
});

test('one that is healthy and not registered is left alone, and becomes ready later', async () => {
  const { world, user } = create();
  const started = user.start().catch((error: unknown) => error);
  await settle();
  await world.pass(2);
  world.gates.shift()?.answer({ outcome: 'timeout', reason: 'connection refused' });
  expect(((await started) as Error).message).toContain(
    'was not registered within 30000 ms: connection refused',
  );
  expect(user.getSnapshot()).toMatchObject({
    state: 'healthy',
    reason: expect.stringContaining('registered'),
  });
  await expect(user.start()).rejects.toThrow('not registered');
  expect(world.gates[0]?.timeoutMs).toBe(Infinity);
  await world.pass();
  expect(user.getSnapshot()).toMatchObject({ state: 'ready', reason: undefined });
});

test('a stop during the start ends the start', async () => {
  const { world, user } = create();
  const started = user.start().catch((error: unknown) => error);
  await settle();
  const stopped = user.stop();
  expect(((await started) as Error).message).toBe('user-4000 was stopped before it was ready');
  await world.exit(0);
  await stopped;
  expect(world.states()).toEqual(['starting', 'stopping', 'stopped']);
  expect(world.gates).toEqual([]);
});

test('a stop before anything was spawned leaves nothing that could spawn', async () => {
  const { world, user } = create();
  const started = user.start().catch((error: unknown) => error);
  await user.stop();
  expect(isMeshStartError(await started)).toBe(true);
  await settle();
  expect(world.groups).toEqual([]);
  expect(user.state).toBe('stopped');
});

test('a stop during the back-off cancels the restart', async () => {
  const { world, user } = await ready();
  await world.exit(1);
  await user.stop();
  await world.advance(60_000);
  expect(world.groups).toHaveLength(1);
  expect(user.state).toBe('stopped');
});

test('a start during the back-off does not wait for it, and forgets the crashes', async () => {
  const { world, user } = await ready();
  await world.exit(1);
  const started = user.start();
  await settle();
  await world.pass(3);
  await started;
  await world.advance(60_000);
  expect(world.groups).toHaveLength(2);
  await world.exit(1);
  expect(world.last()).toMatchObject({ restartInMs: 250 });
});

test('repeated starts, stops and restarts are one', async () => {
  const { world, user } = await ready();
  await user.start();
  const restarts = [user.restart(), user.restart()];
  expect(restarts[0]).toBe(restarts[1]);
  await world.exit(0);
  await world.pass(3);
  await Promise.all(restarts);
  expect(world.groups).toHaveLength(2);
  const stops = [user.stop(), user.stop()];
  expect(stops[0]).toBe(stops[1]);
  await world.exit(0);
  await Promise.all(stops);
  expect(world.states().filter((state) => state === 'stopping')).toHaveLength(2);
});

test('the last word counts: a stop after a start that still waits for an earlier stop', async () => {
  const { world, user } = await ready();
  const first = user.stop();
  const started = user.start().catch((error: unknown) => error);
  const last = user.stop();
  await world.exit(0);
  await Promise.all([first, last]);
  expect(isMeshStartError(await started)).toBe(true);
  expect(user.state).toBe('stopped');
  expect(world.groups).toHaveLength(1);
});

test('a port that somebody took meanwhile is waited for with the same back-off', async () => {
  const { world } = await ready();
  world.blocked = 'cannot have port 4000, which pid 7 (python3) holds';
  await world.exit(1);
  await world.advance(250);
  expect(world.last()).toMatchObject({ state: 'backing-off', reason: world.blocked, restartInMs: 500 });
  world.blocked = undefined;
  await world.advance(500);
  expect(world.last()?.state).toBe('starting');
});

test('a program that does not exist, or an env that throws, fails at once', async () => {
  for (const fault of [new Error('no such url'), undefined]) {
    const { world, user } = create();
    world.fault = fault;
    world.pid = undefined;
    await expect(user.start()).rejects.toThrow(
      `user-4000 could not be started: ${fault === undefined ? 'spawn ENOENT' : 'no such url'}`,
    );
    expect(world.states()).toEqual(['failed']);
    await user.stop();
  }
});

test('what survives SIGKILL is not called stopped', async () => {
  const { world, user } = await ready();
  const stopped = user.stop().catch((error: unknown) => error);
  world.group.exit({ code: null, signal: 'SIGKILL', survived: true });
  expect(((await stopped) as Error).message).toContain('left processes behind');
  expect(user.state).toBe('failed');
});

test('a stop right after a restart has the last word', async () => {
  const { world, user } = await ready();
  const restarted = user.restart().catch((error: unknown) => error);
  const stopped = user.stop();
  await world.exit(0);
  await stopped;
  expect(isMeshStartError(await restarted)).toBe(true);
  expect(user.state).toBe('stopped');
  expect(world.groups).toHaveLength(1);
});

/** Every change that the diagram allows; `healthy` may repeat, with a reason. */
const allowed: Readonly<Record<ProcessState, readonly ProcessState[]>> = {
  pending: ['starting', 'stopped', 'crashed', 'failed'],
  starting: ['listening', 'stopping', 'stopped', 'crashed', 'failed'],
  listening: ['healthy', 'stopping', 'stopped', 'crashed'],
  healthy: ['healthy', 'ready', 'stopping', 'stopped', 'crashed'],
  ready: ['stopping', 'stopped', 'crashed'],
  stopping: ['stopped', 'failed', 'crashed'],
  stopped: ['starting', 'crashed'],
  crashed: ['backing-off', 'failed'],
  'backing-off': ['starting', 'stopped', 'crashed'],
  failed: ['starting', 'crashed'],
};

type Step = (world: World, user: ProcessInstance) => unknown;
const answerGate =
  (result: GateResult): Step =>
  (world) =>
    world.gates.shift()?.answer(result);
const end =
  (code: number | null, signal: string | null): Step =>
  (world) => {
    world.groups.at(-1)?.exit({ code, signal });
  };

const steps: Readonly<Record<string, Step>> = {
  start: (_, user) => user.start().catch(() => undefined),
  stop: (_, user) => user.stop().catch(() => undefined),
  force: (_, user) => user.stop({ force: true }).catch(() => undefined),
  restart: (_, user) => user.restart().catch(() => undefined),
  kill: (_, user) => {
    user.kill();
  },
  pass: answerGate({ outcome: 'passed' }),
  late: answerGate({ outcome: 'timeout', reason: 'late' }),
  exit: end(0, null),
  crash: end(1, null),
  block: (world) => (world.blocked = 'blocked'),
  unblock: (world) => (world.blocked = undefined),
  wait: (world) => world.advance(300),
  longWait: (world) => world.advance(40_000),
  settle: () => settle(),
};

test('whatever happens in whatever order: allowed changes only, one process at a time, none after a stop', async () => {
  const sequence = fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.boolean()), {
    maxLength: 25,
  });
  await fc.assert(
    fc.asyncProperty(sequence, async (taken) => {
      const { world, user } = create();
      for (const [name, settled] of taken) {
        const done = steps[name]?.(world, user);
        if (name.toLowerCase().includes('wait')) await done;
        if (settled) await settle();
        expect(world.groups.filter(({ alive }) => alive).length).toBeLessThanOrEqual(1);
      }
      const stopped = user.stop();
      await settle();
      for (const group of world.groups) if (group.alive) group.exit({ code: 0, signal: null });
      await stopped;
      await world.advance(600_000);
      expect(world.groups.some(({ alive }) => alive)).toBe(false);
      expect(world.timers.size).toBe(0);
      expect(world.gates).toEqual([]);
      expect(['stopped', 'failed']).toContain(user.state);
      for (const event of world.events) {
        if (event.type === 'state') expect(allowed[event.previous]).toContain(event.state);
      }
    }),
    { numRuns: 300 },
  );
});
