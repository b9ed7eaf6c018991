import { afterEach, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { isListening, isRunning } from './testing/tiny-mesh.ts';
import { isGroupAlive } from './group-signal.ts';
import { freePorts } from './ports.ts';
import { ProcessGroup } from './process-group.ts';

const groups: ProcessGroup[] = [];

afterEach(async () => {
  for (const group of groups) group.kill();
  await Promise.all(groups.splice(0).map((group) => group.exited));
});

interface Watched {
  group: ProcessGroup;
  lines: string[];
  line(text: RegExp): Promise<string>;
}

function run(command: readonly [string, ...string[]], env: Record<string, string> = {}): Watched {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const group = new ProcessGroup({
    command,
    cwd: process.cwd(),
    env,
    onLine: (stream, line) => {
      lines.push(`${stream}: ${line}`);
      for (const look of waiting) look();
    },
  });
  groups.push(group);
  const line = (text: RegExp): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find((candidate) => text.test(candidate));
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { group, lines, line };
}

const script = join(import.meta.dirname, 'testing/tiny-service.mjs');
const node = (code: string): [string, ...string[]] => ['node', '-e', code];

test('output comes line by line, all of it before the end is told', async () => {
  const code = `console.log('a\\nb'); console.error('c'); process.stdout.write('d'); process.exitCode = 3`;
  const { group, lines } = run(node(code));
  expect(await group.exited).toEqual({ code: 3, signal: null });
  expect(lines.filter((line) => line.startsWith('stdout'))).toEqual(['stdout: a', 'stdout: b', 'stdout: d']);
  expect(lines).toContain('stderr: c');
});

test('`node` is the Node that runs this', async () => {
  const { group, lines } = run(node('console.log(process.execPath)'), { PATH: '/nowhere' });
  await group.exited;
  expect(lines).toEqual([`stdout: ${process.execPath}`]);
});

test('a program that does not exist is an error in the exit', async () => {
  const { group } = run(['/nowhere/at-all']);
  const { error } = await group.exited;
  expect(error?.message).toContain('ENOENT');
  expect(group.pid).toBeUndefined();
});

test('asked to stop, it may end in its own way', async () => {
  const [port = 0] = await freePorts(1);
  const { group, lines, line } = run(['node', script], { PORT: String(port) });
  await line(/serves/);
  expect(await group.stop(60_000)).toEqual({ code: 0, signal: null });
  expect(lines.at(-1)).toBe('stdout: bye');
  expect(isGroupAlive(group.pid ?? 0)).toBe(false);
});

test('what does not want to stop is killed with all that it started', async () => {
  const [port = 0, grandchildPort = 0] = await freePorts(2);
  const env = { MODE: 'stubborn', PORT: String(port), GRANDCHILD_PORT: String(grandchildPort) };
  const { group, line } = run(['node', script], env);
  const grandchild = Number((await line(/grandchild/)).split(' ').at(-1));
  await Promise.all([line(new RegExp(`serves ${port}`)), line(new RegExp(`serves ${grandchildPort}`))]);
  const stopped = group.stop(100);
  await line(/stdout: no/);
  expect(await stopped).toEqual({ code: null, signal: 'SIGKILL' });
  expect(isGroupAlive(group.pid ?? 0)).toBe(false);
  expect(isRunning(grandchild)).toBe(false);
  expect(await Promise.all([port, grandchildPort].map(isListening))).toEqual([false, false]);
});

test('when the first process crashes, what it started goes with it', async () => {
  const grandchild = `require('child_process').spawn(process.execPath, ['-e', 'setInterval(Object, 1000)'], { stdio: 'inherit' })`;
  const { group, line } = run(
    node(`console.log('pid', ${grandchild}.pid); setTimeout(() => process.exit(1), 20)`),
  );
  const pid = Number((await line(/pid/)).split(' ').at(-1));
  expect(isRunning(pid)).toBe(true);
  expect(await group.exited).toEqual({ code: 1, signal: null });
  expect(isRunning(pid)).toBe(false);
});

test('a grandchild that listens to SIGTERM gets the rest of the time', async () => {
  const child = `process.on('SIGTERM', () => { console.log('well'); process.exit() }); console.log('up'); setInterval(Object, 1000)`;
  const code = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' }); process.on('SIGTERM', () => process.exit(0))`;
  const { group, lines, line } = run(node(code));
  await line(/up/);
  expect(await group.stop(60_000)).toEqual({ code: 0, signal: null });
  expect(lines).toEqual(['stdout: up', 'stdout: well']);
});

test('SIGKILL from outside is told with its signal', async () => {
  const { group, line } = run(node(`console.log('up'); setInterval(Object, 1000)`));
  await line(/up/);
  process.kill(group.pid ?? 0, 'SIGKILL');
  expect(await group.exited).toEqual({ code: null, signal: 'SIGKILL' });
});

test('killing what has ended does nothing', async () => {
  const { group } = run(node(''));
  expect(await group.exited).toEqual({ code: 0, signal: null });
  group.kill();
  expect(await group.stop(1000)).toEqual({ code: 0, signal: null });
});

test('the child has a channel that closes when this process dies', async () => {
  const { group, lines } = run(node('console.log(process.connected)'));
  await group.exited;
  expect(lines).toEqual(['stdout: true']);
});
