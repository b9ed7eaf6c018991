import type { MeshEvent, ProcessSnapshot } from '@mesh/orchestrator';
import type { ReadyReport, View } from './view.ts';

/** One line of JSON for each event: what the library tells, and `ready`, `processes`, `note` and `error`. */
export class JsonView implements View {
  readonly #write: (text: string) => void;
  readonly #quiet: boolean;

  constructor(write: (text: string) => void, quiet: boolean) {
    this.#write = write;
    this.#quiet = quiet;
  }

  event(event: MeshEvent): void {
    if (event.type !== 'line' || !this.#quiet) this.#tell(event);
  }

  ready({ readyMs, urls, processes }: ReadyReport): void {
    this.#tell({ type: 'ready', readyMs, urls, processes });
  }

  processes(processes: readonly ProcessSnapshot[]): void {
    this.#tell({ type: 'processes', processes });
  }

  note(text: string): void {
    this.#tell({ type: 'note', text });
  }

  error(error: unknown): void {
    const { message, code, lastLines } = error as { message: string; code?: unknown; lastLines?: unknown };
    this.#tell({ type: 'error', code, message, lastLines });
  }

  #tell(event: object): void {
    this.#write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
  }
}
