import { styleText } from 'node:util';
import type { MeshEvent, PortConflictEvent, ProcessSnapshot, StateEvent } from '@mesh/orchestrator';
import { createLogFormat } from './log-line.ts';
import { processTable, seconds } from './table.ts';
import type { ReadyReport, View } from './view.ts';

type Style = Parameters<typeof styleText>[0];

const palette = [
  'cyan',
  'magenta',
  'yellow',
  'green',
  'blue',
  'cyanBright',
  'magentaBright',
  'greenBright',
] as const;

/** How a text view writes. */
export interface TextViewOptions {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly colors: boolean;
  /** Leave out what the services log. */
  readonly quiet: boolean;
}

/** A plain stream of lines, each with the name of its process in front: `>` is said of it, `|` it says itself. */
export class TextView implements View {
  readonly #options: TextViewOptions;
  readonly #format: (line: string) => string[];
  readonly #styles = new Map<string, Style>();
  #width = 0;
  #started = false;

  constructor(options: TextViewOptions) {
    this.#options = options;
    this.#format = createLogFormat(options.colors);
  }

  event(event: MeshEvent): void {
    if (event.type === 'state') this.#state(event);
    else if (event.type === 'portConflict') this.#say(event.instance, this.#paint('yellow', conflict(event)));
    else if (!this.#options.quiet)
      for (const line of this.#format(event.line)) this.#say(event.instance, line, '|');
  }

  ready({ readyMs, processes, urls, hints }: ReadyReport): void {
    this.#started = true;
    const where = urls.length === 0 ? '' : ` - ${urls.join(' and ')}`;
    this.#print([
      '',
      ...processTable(processes),
      '',
      this.#paint(['bold', 'green'], `ready in ${seconds(readyMs)}${where}`),
    ]);
    this.#print(hints.map((hint) => `  try   ${hint}`));
    this.#print(['  type  ps, stop <service>, start <service>, kill <instance>, help or quit', '']);
  }

  processes(processes: readonly ProcessSnapshot[]): void {
    this.#print(processTable(processes));
  }

  note(text: string): void {
    this.#print([text]);
  }

  error(error: unknown): void {
    const { message, lastLines = [] } = error as { message: string; lastLines?: readonly string[] };
    const [first = ''] = message.split('\n');
    this.#options.err(`${this.#paint('red', first.startsWith('mesh: ') ? first : `mesh: ${first}`)}\n`);
    for (const line of this.#lines(lastLines)) this.#options.err(`${line}\n`);
  }

  #state(event: StateEvent): void {
    const { instance, state, lastLines = [] } = event;
    const style = state === 'ready' ? 'green' : state === 'crashed' || state === 'failed' ? 'red' : 'dim';
    this.#say(instance, this.#paint(style, describe(event)));
    // Otherwise they have just been seen, or come with the error of the start.
    if (state === 'failed' && this.#options.quiet && this.#started) this.#print(this.#lines(lastLines));
  }

  #lines(lines: readonly string[]): string[] {
    return lines.flatMap((line) => this.#format(line)).map((line) => `    ${line}`);
  }

  #say(instance: string, text: string, mark = '>'): void {
    this.#width = Math.max(this.#width, instance.length);
    const style = this.#styles.get(instance) ?? palette[this.#styles.size % palette.length] ?? 'cyan';
    this.#styles.set(instance, style);
    this.#print([`${this.#paint(style, `${instance.padEnd(this.#width)} ${mark}`)} ${text}`]);
  }

  #print(lines: readonly string[]): void {
    if (lines.length > 0) this.#options.out(`${lines.join('\n')}\n`);
  }

  #paint(style: Style, text: string): string {
    return this.#options.colors ? styleText(style, text, { validateStream: false }) : text;
  }
}

function describe({ state, pid, elapsedMs = 0, reason, restartInMs = 0 }: StateEvent): string {
  switch (state) {
    case 'starting':
      return `starting, pid ${String(pid)}`;
    case 'listening':
    case 'healthy':
    case 'ready':
      return reason === undefined ? `${state} after ${seconds(elapsedMs)}` : `${state}, but ${reason}`;
    case 'backing-off':
      return `starts again in ${seconds(restartInMs)}`;
    default:
      return reason === undefined ? state : `${state}: ${reason}`;
  }
}

function conflict({ port, holder, replacement }: PortConflictEvent): string {
  const who = holder === undefined ? 'another process' : `pid ${holder.pid} (${holder.command})`;
  const then = replacement === undefined ? 'waits for it' : `takes ${replacement} instead`;
  return `port ${port} is held by ${who}: ${then}`;
}
