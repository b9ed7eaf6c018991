import { afterEach, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OpenStreams } from './open-streams.ts';
import { steadyLoad } from './testing/steady-load.ts';

// Real processes: on a busy machine they take their time.
jest.setTimeout(30_000);

const script = fileURLToPath(new URL('testing/note-service.ts', import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function service(env: Record<string, string> = {}): Promise<{ child: ChildProcess; port: number }> {
  const settings = JSON.stringify({ PORT: '0', REGISTER: 'no', LOG_LEVEL: 'silent', ...env });
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, script, settings], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  children.push(child);
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

test('SIGTERM under constant load of clients that try nothing twice: no request fails, then connections are refused', async () => {
  const { child, port } = await service();
  const paths = ['/port', '/hijacked/5', '/slow/350', '/hijacked/400'].flatMap((path) =>
    Array<string>(4).fill(path),
  );
  const load = steadyLoad(port, paths);
  await sleep(500);
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  const outcomes = await load;
  expect(code).toBe(0);
  expect(outcomes.filter(({ result }) => result === 200).length).toBeGreaterThan(paths.length);
  expect(outcomes.filter(({ result }) => result === 'ECONNREFUSED')).toHaveLength(paths.length);
  // The kernel may reset one that it has accepted in the microseconds before the close; all clients of /port when the door just closed.
  const failed = outcomes.filter(({ result }) => result !== 200 && result !== 'ECONNREFUSED');
  expect(failed.filter(({ result, reused }) => result !== 'ECONNRESET' || reused)).toEqual([]);
  expect(failed.length).toBeLessThanOrEqual(2);
});

test('a client that pauses between its requests loses none either', async () => {
  const { child, port } = await service();
  const load = steadyLoad(port, Array<string>(12).fill('/port'), { pauseMs: 20 });
  await sleep(400);
  child.kill('SIGTERM');
  const outcomes = await load;
  expect(outcomes.filter(({ result, reused }) => result !== 200 && reused)).toEqual([]);
});

test('event streams are ended well, and do not hold the end up until the grace period is over', async () => {
  const { child, port } = await service({ GRACE_PERIOD_MS: '20000', STREAM_CLOSE_MS: '100' });
  const streams = await Promise.all([1, 2, 3].map(() => fetch(`http://127.0.0.1:${port}/events`)));
  child.kill('SIGTERM');
  const texts = await Promise.all(streams.map((stream) => stream.text()));
  expect(texts).toEqual(Array(3).fill(': open\n\nevent: bye\n\n'));
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a connection on which nothing was ever asked does not hold it up', async () => {
  const { child, port } = await service({ GRACE_PERIOD_MS: '20000' });
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  socket.destroy();
});

test('an upgraded connection that nobody ends is cut off with the grace period', async () => {
  const { child, port } = await service({ GRACE_PERIOD_MS: '300', UPGRADES: 'yes' });
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
  await once(socket, 'data');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([1, null]);
  socket.destroy();
});

test('streams are spread over the window, in the order in which they began, and one that comes late ends at once', async () => {
  const streams = new OpenStreams();
  const ended: string[] = [];
  let now = 0;
  const wait = (ms: number): Promise<void> => {
    now += ms;
    return Promise.resolve();
  };
  const forget = Array.from({ length: 100 }, (_, index) => streams.add(() => ended.push(`${index}@${now}`)));
  forget[1]?.();
  expect(streams.size).toBe(99);
  await streams.closeAll(250, wait);
  expect([ended.length, ended[0], ended[1], ended.at(-1), streams.size]).toEqual([
    99,
    '0@0',
    '2@0',
    '99@240',
    0,
  ]);
  streams.add(() => ended.push('late'));
  await Promise.resolve();
  expect(ended.at(-1)).toBe('late');
});
