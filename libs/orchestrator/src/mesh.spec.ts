import { afterEach, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:net';
import { defineMesh, type MeshConfig } from './definition.ts';
import { freeRange, isListening, isRunning, Journal, tiny } from './testing/tiny-mesh.ts';
import { Mesh, type MeshOptions } from './mesh.ts';
import { isMeshStartError, type MeshStartError } from './mesh-start-error.ts';
import { freePorts } from './ports.ts';

const meshes: Mesh[] = [];
const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(meshes.splice(0).map((mesh) => mesh.stop({ force: true })));
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

interface Setup {
  mesh: Mesh;
  journal: Journal;
}

function setUp(config: MeshConfig, options: MeshOptions = {}): Setup {
  const journal = new Journal();
  const mesh = new Mesh(config, { isolated: true, ...options, onEvent: journal.note });
  meshes.push(mesh);
  return { mesh, journal };
}

async function occupy(port: number): Promise<void> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}

const failureOf = async (started: Promise<void>): Promise<MeshStartError> => {
  const error: unknown = await started.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isMeshStartError(error)) throw new Error('it started');
  return error;
};

const url = (mesh: Mesh, service: string): string =>
  mesh.getSnapshot().find((process) => process.service === service)?.url ?? '';

const post = (to: string, body: object): Promise<Response> =>
  fetch(to, { method: 'POST', body: JSON.stringify(body) });

async function expectNothingLeft({ mesh, journal }: Setup): Promise<void> {
  const spawned = journal.of('state').filter(({ state }) => state === 'starting');
  for (const { pid, port } of spawned) {
    expect(isRunning(pid ?? 0)).toBe(false);
    expect(await isListening(port ?? 0)).toBe(false);
  }
  expect(mesh.getSnapshot().filter(({ pid }) => pid !== undefined)).toEqual([]);
}

const layered = defineMesh({
  services: {
    gateway: tiny('', { ports: 6310, uses: ['user'], dependsOn: ['registry'] }),
    user: tiny('', {
      ports: { from: 6320, count: 2 },
      dependsOn: ['registry'],
      serviceName: 'user-service',
      env: ({ url }) => ({ NAME: 'user-service', REGISTRY_URL: url('registry') }),
    }),
    registry: tiny('', { ports: 6330 }),
  },
  registry: 'registry',
});

test('it starts in dependency order, awaits every gate, and stops in reverse order', async () => {
  const setup = setUp(layered);
  const { mesh, journal } = setup;
  await mesh.start();
  const started = journal.states('starting', 'ready');
  expect(started.slice(0, 2)).toEqual(['registry starting', 'registry ready']);
  expect(started.slice(2, 5).sort()).toEqual(['gateway starting', 'user starting', 'user starting']);
  expect(
    journal.states('listening', 'healthy', 'ready').filter((state) => state.startsWith('registry')),
  ).toEqual(['registry listening', 'registry healthy', 'registry ready']);
  for (const process of mesh.getSnapshot()) {
    const { listening = 0, healthy = 0, registered = healthy } = process.gates;
    expect(process).toMatchObject({ state: 'ready', restarts: 0 });
    expect(isRunning(process.pid ?? 0)).toBe(true);
    expect(process.instance).toBe(`${process.service}-${process.port}`);
    expect([listening, healthy, registered, process.readyMs ?? 0]).toEqual(
      [listening, healthy, registered, process.readyMs ?? 0].sort((a, b) => a - b),
    );
  }
  expect(mesh.getSnapshot().find(({ service }) => service === 'user')?.gates.registered).toBeGreaterThan(0);
  await mesh.stop();
  expect(journal.states('stopping', 'stopped').filter((state) => !state.startsWith('user'))).toEqual([
    'gateway stopping',
    'gateway stopped',
    'registry stopping',
    'registry stopped',
  ]);
  const stopping = journal.states('stopping', 'stopped');
  expect(stopping.indexOf('user stopping')).toBeGreaterThan(stopping.indexOf('gateway stopped'));
  expect(stopping.lastIndexOf('user stopped')).toBeLessThan(stopping.indexOf('registry stopping'));
  expect(journal.of('line').filter(({ line }) => line === 'bye')).toHaveLength(4);
  await expectNothingLeft(setup);
});

test('the snapshot stays the same object while nothing changes, and subscribers hear of changes', async () => {
  const { mesh } = setUp(defineMesh({ services: { one: tiny('', { ports: 6300 }) } }));
  let changes = 0;
  const unsubscribe = mesh.subscribe(() => changes++);
  const before = mesh.getSnapshot();
  expect(mesh.getSnapshot()).toBe(before);
  expect(before).toMatchObject([{ state: 'pending', instance: 'one-6300' }]);
  await mesh.start();
  expect(mesh.getSnapshot()).not.toBe(before);
  expect(changes).toBe(4);
  unsubscribe();
  await mesh.stop();
  expect(changes).toBe(4);
});

test('each process gets its port, what the configuration says, and what it inherits', async () => {
  const config = defineMesh({
    services: {
      base: tiny('', { ports: 6300 }),
      one: tiny('', {
        ports: 6301,
        dependsOn: ['base'],
        env: ({ instance, port, url }) => ({
          INSTANCE: `${instance} ${port}`,
          BASE: url('base'),
          LEVEL: 'set',
        }),
      }),
    },
  });
  const { mesh } = setUp(config, {
    env: { PORT: '1', LEVEL: 'inherited', OTHER: 'kept', NOTHING: undefined },
  });
  await mesh.start();
  const seen = (await (await fetch(`${url(mesh, 'one')}/env`)).json()) as Record<string, string>;
  const { port, instance } = mesh.getSnapshot()[1]!;
  expect(seen).toMatchObject({
    PORT: String(port),
    INSTANCE: `${instance} ${port}`,
    BASE: url(mesh, 'base'),
    LEVEL: 'set',
    OTHER: 'kept',
  });
  expect(seen).not.toHaveProperty('NOTHING');
});

test('only what is asked for runs, with what it depends on', () => {
  const { mesh } = setUp(layered, { only: ['gateway'] });
  expect(mesh.getSnapshot().map(({ service }) => service)).toEqual(['registry', 'gateway']);
  expect(() => new Mesh(layered, { only: ['nobody'] })).toThrow(
    'mesh: only names "nobody", which is not a service; there are registry, user, gateway',
  );
});

/** A start that hangs at a gate, with enough time for the gates before it on a busy machine. */
const hanging = (mode: string, startTimeoutMs: number): MeshConfig =>
  defineMesh({
    services: {
      registry: tiny('', { ports: 6300 }),
      late: tiny(`talkative ${mode}`, {
        ports: 6301,
        dependsOn: ['registry'],
        serviceName: 'late',
        startTimeoutMs,
        env: ({ url }) => ({ NAME: 'late', REGISTRY_URL: url('registry') }),
      }),
    },
    registry: 'registry',
  });

test('one that is not ready in time is named, with the gate that it waits at and its last lines', async () => {
  const gates = [
    ['listening', 'deaf', 300, 'nothing listens on port'],
    ['healthy', 'sick', 3000, '/health answered 503'],
    ['registered', 'shy', 3000, 'does not list port'],
  ] as const;
  await Promise.all(
    gates.map(async ([gate, mode, timeoutMs, reason]) => {
      const setup = setUp(hanging(mode, timeoutMs));
      const error = await failureOf(setup.mesh.start());
      expect(error.failure).toBe('timeout');
      expect(error.message).toMatch(
        new RegExp(`^late-\\d+ was not ${gate} within ${timeoutMs} ms: .*${reason}`),
      );
      if (mode !== 'deaf') expect(error.lastLines).toContain('line 30');
      expect(error.lastLines.length).toBeLessThanOrEqual(20);
      await expectNothingLeft(setup);
    }),
  );
});

test('one that is healthy only later is waited for', async () => {
  const { mesh, journal } = setUp(defineMesh({ services: { late: tiny('sick', { ports: 6300 }) } }));
  const listening = journal.next('state', ({ state }) => state === 'listening');
  const started = mesh.start();
  const { port } = await listening;
  await post(`http://127.0.0.1:${String(port)}/heal`, {});
  await started;
  expect(journal.states()).toEqual(['late starting', 'late listening', 'late healthy', 'late ready']);
});

test('a start that fails stops what runs already', async () => {
  const setup = setUp(
    defineMesh({
      services: {
        good: tiny('', { ports: 6300 }),
        bad: tiny('crash', { ports: 6301, dependsOn: ['good'], restart: 'never' }),
        never: tiny('', { ports: 6302, dependsOn: ['bad'] }),
      },
    }),
  );
  const error = await failureOf(setup.mesh.start());
  expect(error).toMatchObject({ failure: 'failed', code: 'ERR_MESH_START' });
  expect(error.message).toMatch(/^bad-\d+ ended with exit code 1$/);
  expect(error.lastLines.join('\n')).toContain('this service only crashes');
  expect(setup.journal.states('starting')).toEqual(['good starting', 'bad starting']);
  expect(setup.journal.states('stopped')).toEqual(expect.arrayContaining(['good stopped', 'never stopped']));
  await expectNothingLeft(setup);
});

test('a crash is answered with a restart on the same port', async () => {
  const { mesh, journal } = setUp(defineMesh({ services: { one: tiny('', { ports: 6300 }) } }));
  await mesh.start();
  const [before] = mesh.getSnapshot();
  const crashed = journal.next('state', ({ state }) => state === 'crashed');
  const ready = journal.next('state', ({ state }) => state === 'ready');
  await post(`${before!.url!}/exit`, { code: 7 });
  expect((await crashed).reason).toBe('ended with exit code 7');
  await ready;
  const [after] = mesh.getSnapshot();
  expect(after).toMatchObject({
    instance: before!.instance,
    port: before!.port,
    restarts: 1,
    state: 'ready',
  });
  expect(after!.pid).not.toBe(before!.pid);
});

test('kill -9 is a crash; a registration left from before does not count as the new one', async () => {
  const { mesh, journal } = setUp(layered);
  await mesh.start();
  const victim = mesh.getSnapshot().find(({ service }) => service === 'user')!;
  const back = journal.next(
    'state',
    ({ state, instance }) => state === 'ready' && instance === victim.instance,
  );
  process.kill(victim.pid!, 'SIGKILL');
  await back;
  const told = journal.of('state').filter(({ instance }) => instance === victim.instance);
  expect(told.slice(4).map(({ state }) => state)).toEqual([
    'crashed',
    'backing-off',
    'starting',
    'listening',
    'healthy',
    'ready',
  ]);
  expect(told[4]?.reason).toBe('was ended by SIGKILL');
  expect(isRunning(victim.pid!)).toBe(false);
});

test('exit code 0 is a stop, and a stopped one can be started again', async () => {
  const { mesh, journal } = setUp(defineMesh({ services: { one: tiny('', { ports: 6300 }) } }));
  await mesh.start();
  const stopped = journal.next('state', ({ state }) => state === 'stopped');
  await post(`${url(mesh, 'one')}/exit`, { code: 0 });
  await stopped;
  expect(mesh.getSnapshot()[0]).toMatchObject({ state: 'stopped', reason: 'ended with exit code 0' });
  await mesh.startService('one');
  expect(mesh.getSnapshot()[0]).toMatchObject({ state: 'ready', restarts: 0 });
});

test('services and single instances are stopped, started, restarted and killed by name', async () => {
  const { mesh, journal } = setUp(layered);
  await mesh.start();
  const users = mesh.getSnapshot().filter(({ service }) => service === 'user');
  const states = (): string[] =>
    mesh.getSnapshot().flatMap(({ service, state }) => (service === 'user' ? state : []));
  await mesh.stopService(users[0]!.instance);
  expect(states()).toEqual(['stopped', 'ready']);
  expect(isRunning(users[0]!.pid!)).toBe(false);
  await mesh.stopService('user');
  expect(states()).toEqual(['stopped', 'stopped']);
  await mesh.startService('user');
  expect(states()).toEqual(['ready', 'ready']);
  const mark = journal.events.length;
  await mesh.restartService('user');
  const restarts = journal.events.slice(mark).flatMap((event) => (event.type === 'state' ? event : []));
  const order = restarts.filter(({ state }) => ['stopping', 'ready'].includes(state));
  expect(order.map(({ state }) => state)).toEqual(['stopping', 'ready', 'stopping', 'ready']);
  const crashed = journal.next('state', ({ state }) => state === 'crashed');
  mesh.killService(users[1]!.instance);
  expect((await crashed).instance).toBe(users[1]!.instance);
  await expect(mesh.stopService('nobody')).rejects.toThrow(
    /no service or instance "nobody"; there are registry-/,
  );
});

test('what crashes twice before it is ready is given up, with its last 20 lines', async () => {
  const { mesh, journal } = setUp(
    defineMesh({ services: { bad: tiny('talkative crash', { ports: 6300 }) } }),
    { backOff: { initialMs: 1 } },
  );
  const error = await failureOf(mesh.start());
  expect(error.message).toMatch(
    /^bad-\d+ crashed 2 times before it was ready, and at last ended with exit code 1$/,
  );
  expect(journal.states('starting')).toHaveLength(2);
  const failed = journal.of('state').find(({ state }) => state === 'failed');
  expect(failed?.lastLines).toHaveLength(20);
  expect(failed?.lastLines).toEqual(error.lastLines);
});

test('what crashes five times within a minute is given up, and can be started again', async () => {
  const { mesh, journal } = setUp(defineMesh({ services: { one: tiny('', { ports: 6300 }) } }), {
    backOff: { initialMs: 1 },
  });
  await mesh.start();
  for (let crash = 1; crash <= 5; crash++) {
    const wanted = crash < 5 ? 'ready' : 'failed';
    const next = journal.next('state', ({ state }) => state === wanted);
    mesh.killService('one');
    await next;
  }
  expect(mesh.getSnapshot()[0]?.reason).toBe('crashed 5 times within 60 s, and at last was ended by SIGKILL');
  await mesh.startService('one');
  expect(mesh.getSnapshot()[0]?.state).toBe('ready');
});

test('one that ignores SIGTERM is killed with its grandchildren', async () => {
  const [grandchildPort = 0] = await freePorts(1);
  const setup = setUp(
    defineMesh({
      services: {
        stubborn: tiny('stubborn', {
          ports: 6300,
          stopTimeoutMs: 150,
          env: { GRANDCHILD_PORT: String(grandchildPort) },
        }),
      },
    }),
  );
  const { mesh, journal } = setup;
  const grandchildUp = journal.next('line', ({ line }) => line === `serves ${grandchildPort}`);
  await Promise.all([mesh.start(), grandchildUp]);
  const line = journal.of('line').find((event) => event.line.startsWith('grandchild'))?.line ?? '';
  const grandchild = Number(line.split(' ')[1]);
  expect(isRunning(grandchild)).toBe(true);
  await mesh.stop();
  expect(isRunning(grandchild)).toBe(false);
  expect(await isListening(grandchildPort)).toBe(false);
  await expectNothingLeft(setup);
});

test('force kills at once, also in the middle of an orderly stop', async () => {
  const setup = setUp(
    defineMesh({
      services: {
        below: tiny('', { ports: 6300 }),
        stubborn: tiny('stubborn', { ports: 6301, stopTimeoutMs: 60_000, dependsOn: ['below'] }),
      },
    }),
  );
  const { mesh, journal } = setup;
  await mesh.start();
  const refused = journal.next('line', ({ line }) => line === 'no');
  const stopped = mesh.stop();
  await refused;
  await mesh.stop({ force: true });
  await stopped;
  await expectNothingLeft(setup);
});

test('a stop in the middle of a start ends the start and leaves nothing', async () => {
  const setup = setUp(layered);
  const { mesh, journal } = setup;
  const spawned = journal.next('state', ({ service, state }) => service === 'user' && state === 'starting');
  const failure = failureOf(mesh.start());
  await spawned;
  await mesh.stop();
  expect((await failure).failure).toBe('stopped');
  await expectNothingLeft(setup);
});

test('a stop before anything was spawned is a stop too', async () => {
  const setup = setUp(layered);
  const failure = failureOf(setup.mesh.start());
  await setup.mesh.stop();
  expect((await failure).failure).toBe('stopped');
  expect(setup.journal.states('starting')).toEqual([]);
  await expect(setup.mesh.startService('user')).rejects.toThrow('the mesh is stopped');
});

test('an occupied port is replaced, and its holder is named', async () => {
  const from = await freeRange(4);
  await occupy(from + 1);
  const setup = setUp(defineMesh({ services: { user: tiny('', { ports: { from, count: 3 } }) } }), {
    isolated: false,
  });
  const { mesh, journal } = setup;
  await mesh.start();
  const [conflict] = journal.of('portConflict');
  expect(conflict).toMatchObject({ instance: `user-${from + 1}`, service: 'user', port: from + 1 });
  expect(conflict?.replacement).toBeGreaterThan(from + 2);
  if (process.platform === 'linux') expect(conflict?.holder).toMatchObject({ pid: process.pid });
  const instances = [from, conflict?.replacement, from + 2].map((port) => `user-${String(port)}`);
  expect(mesh.getSnapshot().map(({ instance }) => instance)).toEqual(instances);
  await mesh.stop();
  await expectNothingLeft(setup);
});

test('a restarted process does not leave the port that others know, and says who has it', async () => {
  const { mesh, journal } = setUp(defineMesh({ services: { one: tiny('', { ports: 6300 }) } }));
  await mesh.start();
  const { port = 0 } = mesh.getSnapshot()[0]!;
  await mesh.stopService('one');
  await occupy(port);
  const conflict = journal.next('portConflict', () => true);
  const started = mesh.startService('one');
  expect(await conflict).toMatchObject({ port, replacement: undefined });
  const ready = journal.next('state', ({ state }) => state === 'ready');
  servers.splice(0).forEach((server) => server.close());
  await Promise.all([started, ready]);
  expect(mesh.getSnapshot()[0]).toMatchObject({ port, state: 'ready' });
  expect(journal.of('state').find(({ state }) => state === 'crashed')?.reason).toContain(
    `cannot have port ${port}, which `,
  );
});

test('a service without ports is ready once it runs', async () => {
  const { mesh } = setUp(defineMesh({ services: { worker: tiny('deaf') } }));
  await mesh.start();
  expect(mesh.getSnapshot()[0]).toMatchObject({
    instance: 'worker',
    port: undefined,
    url: undefined,
    state: 'ready',
  });
});

test('a url that nobody has, or a program that does not exist, fails the start', async () => {
  const lost = tiny('', { ports: 6300, env: ({ url }) => ({ X: url('nobody') }) });
  const { message } = await failureOf(setUp({ services: { lost } }).mesh.start());
  expect(message).toContain(
    'could not be started: mesh: url("nobody"): there is no such service with a port',
  );
  const absent = setUp({ services: { absent: { command: ['/nowhere/at-all'] } } });
  expect((await failureOf(absent.mesh.start())).message).toContain('absent could not be started: spawn');
});

test('a listener that throws hurts nobody', async () => {
  const mesh = new Mesh(defineMesh({ services: { one: tiny('', { ports: 6300 }) } }), {
    isolated: true,
    onEvent: () => {
      throw new Error('mine');
    },
  });
  meshes.push(mesh);
  await mesh.start();
  expect(mesh.getSnapshot()[0]?.state).toBe('ready');
});

test('20 times started and stopped, one mesh and its listeners leave nothing', async () => {
  const setup = setUp(defineMesh({ services: { one: tiny('', { ports: 6300 }) } }));
  const listeners = process.listenerCount('exit');
  for (let cycle = 0; cycle < 20; cycle++) {
    await setup.mesh.start();
    expect(setup.mesh.getSnapshot()[0]?.state).toBe('ready');
    await setup.mesh.stop();
  }
  await expectNothingLeft(setup);
  expect(setup.journal.states('crashed', 'failed')).toEqual([]);
  expect(process.listenerCount('exit')).toBe(listeners);
});
