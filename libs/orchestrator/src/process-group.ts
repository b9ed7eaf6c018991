import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { LineSplitter } from './line-splitter.ts';
import { isGroupAlive, signalGroup } from './group-signal.ts';

/** Where a line of output came from. */
export type OutputStream = 'stdout' | 'stderr';

/** What to run. */
export interface ProcessGroupOptions {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (stream: OutputStream, line: string) => void;
}

/** How the first process of a group ended. */
export interface GroupExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** It could not be started at all. */
  readonly error?: Error;
  /** Something of the group outlived SIGKILL (a process in uninterruptible sleep, say). */
  readonly survived?: boolean;
}

const goneWithinMs = 2000;
const outputWithinMs = 500;

/**
 * A child process and all that it starts: one process group, which ends as a whole. The child has an IPC
 * channel, so it also learns (event `disconnect`) when this process dies without a word.
 */
export class ProcessGroup {
  /** Process id of the first process, which is also the id of the group; undefined if it could not be started. */
  readonly pid: number | undefined;
  /** Resolves once the first process has ended, the rest of its group is gone, and its output was read. */
  readonly exited: Promise<GroupExit>;
  readonly #child: ChildProcess;
  #deadline: number | undefined;
  #killer: NodeJS.Timeout | undefined;
  #gone = false;

  constructor({ command: [program, ...args], cwd, env, onLine }: ProcessGroupOptions) {
    const child = spawn(program === 'node' ? process.execPath : program, args, {
      cwd,
      env: { ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Windows has no process groups; there, detached would only open a console window.
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.#child = child;
    this.pid = child.pid;
    const outputEnded = Promise.all([
      readLines(child.stdout, (line) => {
        onLine('stdout', line);
      }),
      readLines(child.stderr, (line) => {
        onLine('stderr', line);
      }),
    ]);
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => {
        // Also emitted for a message or signal that could not be delivered; the exit tells then.
        if (child.pid === undefined) resolve({ code: null, signal: null, error });
      });
      child.once('exit', (code, signal) => {
        void this.#finish(outputEnded).then((survived) => {
          resolve({ code, signal, ...(survived && { survived }) });
        });
      });
    });
  }

  /** Asks the first process to end, and after `timeoutMs` kills what is left of the group. */
  async stop(timeoutMs: number): Promise<GroupExit> {
    this.#deadline ??= performance.now() + timeoutMs;
    this.#killer ??= setTimeout(() => {
      this.kill();
    }, timeoutMs);
    if (process.platform === 'win32') {
      // SIGTERM would end it at once there; a service of the house leaves when its channel closes.
      if (this.#child.connected) this.#child.disconnect();
    } else {
      this.#child.kill('SIGTERM');
    }
    return this.exited.finally(() => {
      clearTimeout(this.#killer);
    });
  }

  /** SIGKILL to the whole group, now. */
  kill(): void {
    this.#deadline = 0;
    if (this.pid !== undefined && !this.#gone) signalGroup(this.pid, 'SIGKILL');
  }

  async #finish(outputEnded: Promise<unknown>): Promise<boolean> {
    const { pid } = this;
    if (pid === undefined) return false;
    if (this.#deadline !== undefined && isGroupAlive(pid)) {
      // The first process has left in time; what it started gets the rest of that time.
      signalGroup(pid, 'SIGTERM');
      await waitUntilGone(pid, () => this.#deadline ?? 0);
    }
    signalGroup(pid, 'SIGKILL');
    clearTimeout(this.#killer);
    const deadline = performance.now() + goneWithinMs;
    const gone = (this.#gone = await waitUntilGone(pid, () => deadline));
    // A process that left the group may still hold the pipes: its output is not ours to wait for.
    await Promise.race([outputEnded, pause(outputWithinMs, undefined, { ref: false })]);
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    return !gone;
  }
}

async function waitUntilGone(pid: number, deadline: () => number): Promise<boolean> {
  for (;;) {
    if (!isGroupAlive(pid)) return true;
    if (performance.now() >= deadline()) return false;
    await pause(10);
  }
}

function readLines(stream: Readable | null, onLine: (line: string) => void): Promise<void> {
  if (stream === null) return Promise.resolve();
  const lines = new LineSplitter(onLine);
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      lines.push(chunk);
    });
    stream.on('error', () => undefined);
    stream.once('close', () => {
      lines.end();
      resolve();
    });
  });
}
