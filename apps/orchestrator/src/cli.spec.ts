import { afterEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

interface Event {
  readonly type: string;
  readonly state?: string;
  readonly instance?: string;
  readonly pid?: number;
  readonly urls?: string[];
  readonly processes?: { instance: string; url: string; pid: number; state: string }[];
}

/** The command as a user runs it, with pipes instead of a terminal. */
class Command {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  out = '';
  err = '';
  readonly #waiting = new Set<() => void>();

  constructor(...args: string[]) {
    const main = join(import.meta.dirname, 'main.ts');
    this.child = spawn(process.execPath, ['--conditions=@mesh/source', main, ...args], {
      cwd: join(import.meta.dirname, 'testing'),
      stdio: 'pipe',
    });
    const note = (to: 'out' | 'err') => (chunk: Buffer) => {
      this[to] += chunk.toString();
      for (const look of this.#waiting) look();
    };
    this.child.stdout?.on('data', note('out'));
    this.child.stderr?.on('data', note('err'));
    this.exited = new Promise((resolve) => this.child.once('close', resolve));
  }

  type(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  get events(): Event[] {
    const whole = this.out.slice(0, this.out.lastIndexOf('\n') + 1);
    return whole.split('\n').flatMap((line) => (line.startsWith('{') ? (JSON.parse(line) as Event) : []));
  }

  /** The first event that fits, of those told or to come. */
  event(fits: (event: Event) => boolean): Promise<Event> {
    return this.#when(() => this.events.find(fits));
  }

  text(wanted: RegExp): Promise<string> {
    return this.#when(() => wanted.exec(this.out)?.[0]);
  }

  #when<T>(find: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = find();
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

const commands: Command[] = [];

function start(...args: string[]): Command {
  const command = new Command(...args);
  commands.push(command);
  return command;
}

afterEach(async () => {
  for (const { child } of commands) if (child.exitCode === null) child.kill('SIGKILL');
  await Promise.all(commands.splice(0).map(({ exited }) => exited));
});

const tiny = ['--config', 'tiny.config.mjs', '--isolated'];

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

const isListening = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });

async function expectNothingLeft({ processes = [] }: Event): Promise<void> {
  expect(processes.length).toBeGreaterThan(0);
  for (const { pid, url } of processes) {
    expect(isRunning(pid)).toBe(false);
    expect(await isListening(url)).toBe(false);
  }
}

const isReady = ({ type }: Event): boolean => type === 'ready';

test('it shows the gates, the logs, the table and the address, and stops on SIGINT', async () => {
  const command = start(...tiny);
  await command.text(/type .*quit/);
  expect(command.out).toMatch(/^base-\d+ > starting, pid \d+$/m);
  expect(command.out).toMatch(/^user-service-\d+ > ready after /m);
  expect(command.out).toMatch(/^front-\d+ +\| \[\d\d:\d\d:\d\d\.\d{3}\] INFO: listens \{"port":\d+\}$/m);
  expect(command.out).toMatch(/^ {2}front-\d+ +ready +http:\/\/127\.0\.0\.1:\d+ +\d+ +\d/m);
  expect(command.out).toMatch(
    /^ready in \d+.* - http:\/\/127\.0\.0\.1:\d+\/ and http:\/\/127\.0\.0\.1:\d+\/$/m,
  );
  expect(command.out).toMatch(/^ {2}try {3}curl http:\/\/127\.0\.0\.1:\d+\/health$/m);
  expect(command.out).not.toContain('\u001b');
  command.child.kill('SIGINT');
  expect(await command.exited).toBe(0);
  expect(command.out.trimEnd().endsWith('stopped')).toBe(true);
  expect(command.err).toBe('');
});

test('SIGINT that arrives twice at once, as through npm, is one; nothing is left', async () => {
  const command = start(...tiny, '--json', '--quiet');
  const ready = await command.event(isReady);
  command.child.kill('SIGINT');
  command.child.kill('SIGINT');
  expect(await command.exited).toBe(0);
  expect(command.events.some(({ type }) => type === 'line')).toBe(false);
  expect(command.events.filter(({ state }) => state === 'stopped')).toHaveLength(4);
  await expectNothingLeft(ready);
});

test('a later second SIGINT kills what does not want to stop, and says so in the exit code', async () => {
  const command = start('--config', 'stubborn.config.mjs', '--isolated', '--json');
  const ready = await command.event(isReady);
  const again = setInterval(() => command.child.kill('SIGINT'), 50);
  await command.event(({ type }) => type === 'note');
  clearInterval(again);
  expect(await command.exited).toBe(130);
  await expectNothingLeft(ready);
});

test('commands come through a pipe, wait until all are ready, and are obeyed one after the other', async () => {
  const command = start(...tiny, '--json');
  for (const line of ['stop user', 'ps', 'start user', 'wat', 'stop', 'stop nobody', 'ps', 'quit'])
    command.type(line);
  command.child.stdin?.end();
  expect(await command.exited).toBe(0);
  const [first, second] = command.events.filter(({ type }) => type === 'processes');
  const states = ({ processes = [] }: Event): string[] => processes.map(({ state }) => state);
  expect(states(first!)).toEqual(['ready', 'stopped', 'stopped', 'ready']);
  expect(states(second!)).toEqual(['ready', 'ready', 'ready', 'ready']);
  const errors = command.events.filter(({ type }) => type === 'error') as { message?: string }[];
  expect(errors.map(({ message }) => message)).toEqual([
    'there is no command "wat"; help lists them',
    'stop needs the name of a service or an instance',
    expect.stringContaining('there is no "nobody"; there are base-'),
  ]);
});

test('kill is a crash that is recovered from', async () => {
  const command = start(...tiny, '--json');
  const { processes = [] } = await command.event(isReady);
  const victim = processes.find(({ instance }) => instance.startsWith('user'))!;
  command.type(`kill ${victim.instance}`);
  const back = await command.event(
    ({ instance, state, pid }) => instance === victim.instance && state === 'ready' && pid !== victim.pid,
  );
  expect(isRunning(victim.pid)).toBe(false);
  expect(isRunning(back.pid!)).toBe(true);
});

test('the end of its input does not stop it; that of its last process does', async () => {
  const command = start(...tiny, '--json', '--only', 'base');
  const ready = await command.event(isReady);
  expect(ready.processes).toHaveLength(1);
  command.type('ps');
  command.child.stdin?.end();
  await command.event(({ type }) => type === 'processes');
  process.kill(ready.processes?.[0]?.pid ?? 0, 'SIGTERM');
  expect(await command.exited).toBe(0);
});

test('when it is killed itself, its services leave too', async () => {
  const command = start(...tiny, '--json');
  const { processes = [] } = await command.event(isReady);
  command.child.kill('SIGKILL');
  await command.exited;
  for (const { pid } of processes) {
    while (isRunning(pid)) await new Promise(setImmediate);
  }
});

test('SIGINT during the start is a stop, not a failure', async () => {
  const command = start(...tiny, '--json');
  await command.event(({ state }) => state === 'starting');
  command.child.kill('SIGINT');
  expect(await command.exited).toBe(0);
  expect(command.events.some(({ type }) => type === 'ready' || type === 'error')).toBe(false);
  for (const { pid } of command.events.filter(({ state }) => state === 'starting'))
    expect(isRunning(pid!)).toBe(false);
});

test('a start that fails says why in one line, with the last output, and exits 1', async () => {
  const command = start('--config', 'failing.config.mjs', '--isolated', '--quiet');
  expect(await command.exited).toBe(1);
  expect(command.err).toMatch(/^mesh: bad-\d+ ended with exit code 4\n {4}no database\n$/);
});

test.each([
  [['--wat'], "mesh: Unknown option '--wat'; --help lists the options\n"],
  [['--config', 'nowhere.ts'], /^mesh: there is no .*nowhere\.ts; --config <file> names another\n$/],
  [
    ['--config', 'broken.config.mjs'],
    /^mesh: broken\.config\.mjs cannot be used: .*dependsOn names "two", which is not/,
  ],
  [['--config', '../table.ts'], /^mesh: \.\.\/table\.ts has no configuration: it needs "export default/],
  [[...tiny, '--only', 'nobody'], /^mesh: only names "nobody", which is not a service; there are base, /],
])('%j exits 2 with one line', async (args, message) => {
  const command = start(...args);
  expect(await command.exited).toBe(2);
  expect(command.err).toMatch(message);
  expect(command.err.split('\n')).toHaveLength(2);
  expect(command.out).toBe('');
});

test('--help and --version', async () => {
  const help = start('--help');
  const version = start('--version');
  expect(await help.exited).toBe(0);
  expect(help.out).toContain('Exit codes: 0 stopped as asked, 1 ');
  expect(await version.exited).toBe(0);
  expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/);
});
