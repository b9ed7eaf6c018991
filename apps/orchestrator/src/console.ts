import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Mesh, ProcessSnapshot } from '@mesh/orchestrator';
import type { View } from './view.ts';

const help = `  ps                   every process with its state, address and pid
  stop <name>          stop a service (user-service, or just user) or one instance (user-service-4001)
  start <name>         start it again
  restart <name>       one instance after the other
  kill <name>          SIGKILL: a crash, so it is restarted
  help                 this
  quit                 stop everything`;

/** Commands that wait for no others, typed at a terminal. */
const immediate: ReadonlySet<string> = new Set(['ps', 'help', 'quit', '']);
const mostWaiting = 100;

/** What the console works on. */
export interface ConsoleOptions {
  readonly mesh: Mesh;
  readonly view: View;
  readonly input: Readable & { isTTY?: boolean; unref?: () => unknown };
  /** Commands wait for it; at a terminal only those that change something. */
  readonly ready: Promise<unknown>;
  readonly quit: () => void;
  /** Nothing more will come: the input has ended and every command is done. */
  readonly onEnd: () => void;
}

/**
 * Obeys lines of commands, one after the other. The end of the input is no command: a mesh that was started with
 * `< /dev/null` goes on.
 */
export class Console {
  readonly #options: ConsoleOptions;
  readonly #lines: Interface | undefined;
  #last: Promise<unknown>;
  #waiting = 0;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#last = options.ready;
    const end = (): void => {
      void this.#last.then(options.onEnd);
    };
    if (!mayRead(options.input)) {
      end();
      return;
    }
    this.#lines = createInterface({ input: options.input, terminal: false });
    this.#lines.on('line', (line) => {
      this.#take(line.trim());
    });
    this.#lines.once('close', end);
  }

  close(): void {
    this.#lines?.removeAllListeners('close').close();
    this.#options.input.unref?.();
  }

  #take(line: string): void {
    const [verb = ''] = line.split(/\s+/);
    if (this.#options.input.isTTY === true && immediate.has(verb)) {
      void this.#obey(line);
      return;
    }
    if (this.#waiting >= mostWaiting) {
      this.#options.view.error(
        new Error(`${mostWaiting} commands are waiting already: "${line}" is left out`),
      );
      return;
    }
    this.#waiting++;
    this.#last = this.#last.then(async () => {
      this.#waiting--;
      await this.#obey(line);
    });
  }

  async #obey(line: string): Promise<void> {
    const { mesh, view, quit } = this.#options;
    const [verb = '', name, ...rest] = line.split(/\s+/);
    try {
      if (verb === '') return;
      else if (verb === 'quit' || verb === 'exit') quit();
      else if (verb === 'ps') view.processes(mesh.getSnapshot());
      else if (verb === 'help' || verb === '?') view.note(help);
      else await this.#change(verb, name, rest);
    } catch (error) {
      view.error(error);
    }
  }

  async #change(verb: string, name: string | undefined, rest: readonly string[]): Promise<void> {
    const { mesh } = this.#options;
    const changes: Readonly<Record<string, (target: string) => Promise<void>>> = {
      stop: (target) => mesh.stopService(target),
      start: (target) => mesh.startService(target),
      restart: (target) => mesh.restartService(target),
      kill: (target) => {
        mesh.killService(target);
        return Promise.resolve();
      },
    };
    const change = Object.hasOwn(changes, verb) ? changes[verb] : undefined;
    if (change === undefined) throw new Error(`there is no command "${verb}"; help lists them`);
    if (name === undefined || rest.length > 0)
      throw new Error(`${verb} needs the name of a service or an instance`);
    await change(findTarget(name, mesh.getSnapshot()));
  }
}

/** The service or instance meant by a name: itself, or the only one that begins with it. @throws Error */
export function findTarget(name: string, processes: readonly ProcessSnapshot[]): string {
  const services = [...new Set(processes.map(({ service }) => service))];
  const instances = processes.map(({ instance }) => instance);
  if (services.includes(name) || instances.includes(name)) return name;
  for (const names of [services, instances]) {
    const found = names.filter((candidate) => candidate.startsWith(name));
    if (found.length > 1) throw new Error(`"${name}" may be ${found.join(' or ')}`);
    if (found[0] !== undefined) return found[0];
  }
  throw new Error(`there is no "${name}"; there are ${instances.join(', ')}`);
}

/** A job in the background that reads its terminal is halted (SIGTTIN), and with it the whole mesh. */
function mayRead(input: { isTTY?: boolean }): boolean {
  if (input.isTTY !== true || process.platform !== 'linux') return true;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // proc(5): after the command in parentheses come state, parent, group, session, terminal, its foreground group.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}
