import type { Readable } from 'node:stream';
import type { Mesh } from '@mesh/orchestrator';
import { Console } from './console.ts';
import type { ReadyReport, View } from './view.ts';

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const nothingRuns: ReadonlySet<string> = new Set(['stopped', 'failed']);

/**
 * npm passes on the signal that the terminal has already sent to everyone, so one Ctrl+C arrives twice; what
 * comes sooner than this is the same one.
 */
const sameSignalMs = 500;

/** What a session takes part in. */
export interface SessionOptions {
  readonly mesh: Mesh;
  readonly view: View;
  readonly input: Readable;
  /** When the wait for ready began, on the clock of `performance`. */
  readonly startedAt: number;
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'removeListener'>;
  /** Where to look first, and what to try; asked once all are ready. */
  readonly describe: () => Pick<ReadyReport, 'urls' | 'hints'>;
}

/** One mesh from start to stop under somebody's hands. */
export class Session {
  readonly #options: SessionOptions;
  readonly #asked = Promise.withResolvers<undefined>();
  #askedAt: number | undefined;
  #forced = false;
  #nobodyAsked = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Runs until it is asked to stop. @returns the exit code. */
  async run(): Promise<number> {
    const { signals } = this.#options;
    for (const signal of stopSignals) signals.on(signal, this.stop);
    try {
      return await this.#live();
    } finally {
      for (const signal of stopSignals) signals.removeListener(signal, this.stop);
    }
  }

  /** Asks for an orderly stop; asked again, kills. */
  readonly stop = (): void => {
    const now = performance.now();
    if (this.#askedAt === undefined) {
      this.#askedAt = now;
      this.#asked.resolve(undefined);
    } else if (now - this.#askedAt >= sameSignalMs && !this.#forced) {
      this.#forced = true;
      this.#options.view.note('killing everything');
    } else return;
    this.#options.mesh.stop({ force: this.#forced }).catch(() => undefined);
  };

  async #live(): Promise<number> {
    const { mesh, view } = this.#options;
    const started = this.#start();
    const controls = new Console({
      mesh,
      view,
      input: this.#options.input,
      ready: started,
      quit: this.stop,
      onEnd: () => {
        this.#stopWhenNothingRuns();
      },
    });
    const failed = !(await started);
    if (!failed) await this.#asked.promise;
    controls.close();
    return this.#end(failed && this.#askedAt === undefined);
  }

  async #start(): Promise<boolean> {
    const { mesh, view, describe, startedAt } = this.#options;
    try {
      await mesh.start();
      const readyMs = performance.now() - startedAt;
      view.ready({ readyMs, processes: mesh.getSnapshot(), ...describe() });
      return true;
    } catch (error) {
      if (this.#askedAt === undefined) view.error(error);
      return false;
    }
  }

  async #end(startFailed: boolean): Promise<number> {
    const { mesh, view } = this.#options;
    const givenUp = mesh.getSnapshot().some(({ state }) => state === 'failed');
    try {
      await mesh.stop();
    } catch (error) {
      view.error(error);
      return 1;
    }
    if (this.#forced) return 130;
    view.note('stopped');
    return startFailed || (givenUp && this.#nobodyAsked) ? 1 : 0;
  }

  /** Without an input that could start something again, a mesh in which everything has ended is over. */
  #stopWhenNothingRuns(): void {
    const { mesh } = this.#options;
    const look = (): void => {
      if (this.#askedAt !== undefined || mesh.getSnapshot().some(({ state }) => !nothingRuns.has(state)))
        return;
      this.#nobodyAsked = true;
      this.stop();
    };
    mesh.subscribe(look);
    look();
  }
}
