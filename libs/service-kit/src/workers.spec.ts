import { afterEach, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Relatives, type WorkerChannel, type WorkerMessage } from './siblings.ts';
import { FakeRegistry } from './testing/fake-registry.ts';
import { steadyLoad } from './testing/steady-load.ts';

// Several real processes each: on a busy machine they take their time.
jest.setTimeout(120_000);

const script = fileURLToPath(new URL('testing/note-service.ts', import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  // The workers leave when their channel closes.
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function spawned(
  env: Record<string, string>,
): ChildProcess & { stderr: NonNullable<ChildProcess['stderr']> } {
  const settings = JSON.stringify({ PORT: '0', REGISTER: 'no', LOG_LEVEL: 'silent', WORKERS: '2', ...env });
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, script, settings], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  children.push(child);
  return child as ReturnType<typeof spawned>;
}

async function started(env: Record<string, string> = {}): Promise<{ child: ChildProcess; port: number }> {
  const child = spawned(env);
  child.stderr.resume();
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

/** The workers, in order of their ids; asked on a connection of its own. */
async function pidsOf(port: number): Promise<number[]> {
  return new Promise((resolve) => {
    get({ port, host: '127.0.0.1', path: '/pids', agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => {
        const { pids } = JSON.parse(text) as { pids: number[] };
        resolve(pids.sort((a, b) => a - b));
      });
    }).on('error', () => {
      // It was in the hands of the one that was killed.
      resolve([]);
    });
  });
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

test('a worker that is killed under load: no connection is refused, and another takes its place', async () => {
  const { port } = await started();
  const before = await pidsOf(port);
  expect(before).toHaveLength(2);
  const stop = new AbortController();
  const load = steadyLoad(port, Array<string>(8).fill('/port'), { pauseMs: 5, signal: stop.signal });
  await sleep(300);
  process.kill(before[0]!, 'SIGKILL');
  await eventually(async () => {
    const now = await pidsOf(port);
    return now.length === 2 && !now.includes(before[0]!);
  });
  stop.abort();
  const outcomes = await load;
  expect(outcomes.filter(({ result }) => result === 200).length).toBeGreaterThan(8);
  expect(outcomes.filter(({ result }) => result === 'ECONNREFUSED')).toEqual([]);
  // What the worker held in its hands is lost, at most one request of each client.
  expect(outcomes.filter(({ result }) => result !== 200).length).toBeLessThanOrEqual(8);
});

test('SIGHUP replaces all of them one after the other, and no request fails', async () => {
  const { child, port } = await started();
  const before = await pidsOf(port);
  const stop = new AbortController();
  const load = steadyLoad(port, ['/port', '/port', '/port', '/hijacked/5', '/slow/50'], {
    signal: stop.signal,
    pauseMs: 2,
  });
  child.kill('SIGHUP');
  await eventually(async () => {
    const now = await pidsOf(port);
    return now.length === 2 && now.every((pid) => !before.includes(pid));
  });
  stop.abort();
  expect((await load).filter(({ result }) => result !== 200)).toEqual([]);
});

test('SIGTERM: what is in flight in any worker is answered, then all end with 0', async () => {
  const { child, port } = await started();
  const answers = [1, 2, 3, 4].map(() => fetch(`http://127.0.0.1:${port}/hijacked/700`));
  await sleep(300);
  child.kill('SIGTERM');
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(await once(child, 'exit')).toEqual([0, null]);
  await expect(fetch(`http://127.0.0.1:${port}/port`)).rejects.toThrow();
});

test('the registry knows one instance, however many processes serve it', async () => {
  const registry = new FakeRegistry();
  const url = `http://127.0.0.1:${await registry.listen()}`;
  try {
    const { child, port } = await started({ REGISTER: 'yes', DISCOVERY_URL: url, LEAVE_DELAY_MS: '3000' });
    await registry.heard('POST', '/register');
    expect(await pidsOf(port)).toHaveLength(2);
    child.kill('SIGTERM');
    await registry.heard('DELETE', `/services/note-service/${port}`);
    // It is out of the registry, and still serves.
    expect((await fetch(`http://127.0.0.1:${port}/port`)).status).toBe(200);
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(registry.calls.filter(({ url }) => url === '/register')).toHaveLength(1);
  } finally {
    registry.close();
  }
});

test('workers that cannot start are one line, and exit code 1', async () => {
  const { child: holder, port } = await started({ WORKERS: '1' });
  const child = spawned({ PORT: String(port) });
  let text = '';
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(1);
  expect(text).toContain(`port ${port} on 127.0.0.1 is already in use`);
  expect(text.trimEnd().split('\n')).toHaveLength(2);
  expect(text).toContain('note-service: a worker did not come up');
  holder.kill('SIGTERM');
});

test('a question reaches all, and one that does not answer is left out after its second', async () => {
  const listeners: ((message: unknown) => void)[] = [];
  const deliver = (to: number, message: WorkerMessage): void => {
    queueMicrotask(() => listeners[to]?.(message));
  };
  // The primary, without processes: carries questions to all and answers back.
  const channelOf = (id: number): WorkerChannel => ({
    on: (_event, listener) => (listeners[id] = listener),
    send: (message) => {
      const said = message as WorkerMessage;
      if (said.mesh === 'answer') deliver(said.to, said);
      if (said.mesh !== 'ask') return;
      deliver(id, { mesh: 'asked', id: said.id, count: 3 });
      for (let to = 0; to < 3; to++) deliver(to, { ...said, from: id });
    },
  });
  const all = [0, 1, 2].map((id) => new Relatives(channelOf(id)));
  for (const [index, one] of all.entries()) one.answer('double', (question) => [index, Number(question) * 2]);
  all[2]!.answer('double', () => Promise.reject(new Error('broken')));
  expect(await all[0]!.gather('double', 4)).toEqual([
    [0, 8],
    [1, 8],
  ]);
  all[2]!.answer('double', () => 'well');
  const both = [all[0]!.gather('double', 1), all[1]!.gather('double', 2)];
  expect(await Promise.all(both)).toEqual([
    [[0, 2], [1, 2], 'well'],
    [[0, 4], [1, 4], 'well'],
  ]);
});

test('one that is alone asks itself', async () => {
  const alone = new Relatives();
  expect(await alone.gather('nothing')).toEqual([undefined]);
  alone.answer('pid', () => 7);
  expect(await alone.gather('pid')).toEqual([7]);
});
