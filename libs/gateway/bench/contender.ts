/** The parent's side of a contender: starts it, asks for its usage, ends it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Profiler } from 'node:inspector';
import { join } from 'node:path';
import type { Announcement, Question, Usage } from './contenders/contend.mts';
import { pinned } from './machine.ts';

export class Contender {
  readonly name: string;
  readonly origin: string;
  /** URL that is answered from a cache, if it has one. */
  readonly cachedUrl: string | undefined;
  readonly #child: ChildProcess;

  private constructor(name: string, { port, base = '', cached }: Announcement, child: ChildProcess) {
    this.name = name;
    this.origin = `http://127.0.0.1:${port}${base}`;
    this.cachedUrl = cached === undefined ? undefined : this.origin + cached;
    this.#child = child;
  }

  /** @throws Error when it does not run here, with what it said last. */
  static async start(
    name: string,
    origins: readonly string[],
    flags: readonly string[] = [],
  ): Promise<Contender> {
    const file = join(import.meta.dirname, 'contenders', `${name}.mts`);
    const node = [process.execPath, '--conditions=@mesh/source', '--expose-gc', ...flags, file, ...origins];
    const [command = '', ...args] = pinned('proxy', node);
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
    const told = await Promise.race([
      once(child, 'message') as Promise<[Announcement]>,
      once(child, 'exit').then(() => undefined),
    ]);
    if (told === undefined) throw new Error(/^\w*Error.*$/m.exec(said)?.[0] ?? (said || 'it ended at once'));
    return new Contender(name, told[0], child);
  }

  async usage(): Promise<Usage> {
    const [{ usage }] = (await this.#ask('usage')) as [{ usage: Usage }];
    return usage;
  }

  async vitals(): Promise<Readonly<Record<string, number>>> {
    const [{ vitals }] = (await this.#ask('vitals')) as [{ vitals: Readonly<Record<string, number>> }];
    return vitals;
  }

  async startProfile(): Promise<void> {
    await this.#ask('start-profile');
  }

  async stopProfile(): Promise<Profiler.Profile> {
    const [{ profile }] = (await this.#ask('stop-profile')) as [{ profile: Profiler.Profile }];
    return profile;
  }

  async end(): Promise<void> {
    if (!this.#child.connected) return;
    const ended = once(this.#child, 'exit');
    this.#child.send('end' satisfies Question);
    await ended;
  }

  #ask(question: Question): Promise<unknown[]> {
    const answered = once(this.#child, 'message');
    this.#child.send(question);
    return answered;
  }
}
