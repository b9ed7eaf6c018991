import type { PortHolder } from './port-holder.ts';
import type { OutputStream } from './process-group.ts';

/** State of one process; the diagram is above {@link ProcessInstance}. */
export type ProcessState =
  | 'pending'
  | 'starting'
  | 'listening'
  | 'healthy'
  | 'ready'
  | 'stopping'
  | 'stopped'
  | 'crashed'
  | 'backing-off'
  | 'failed';

interface About {
  /** Name of the process, such as `user-service-4001`. */
  readonly instance: string;
  /** Key of its service in the configuration. */
  readonly service: string;
}

/** A process changed its state. */
export interface StateEvent extends About {
  readonly type: 'state';
  readonly state: ProcessState;
  readonly previous: ProcessState;
  readonly port: number | undefined;
  readonly pid: number | undefined;
  /** Since the process was spawned, in ms; undefined when none was. */
  readonly elapsedMs: number | undefined;
  /** Why, in words, where it is not plain from the state. */
  readonly reason: string | undefined;
  /** Only with `backing-off`. */
  readonly restartInMs: number | undefined;
  /** Its last lines of output, at most 20; only with `crashed` and `failed`. */
  readonly lastLines: readonly string[] | undefined;
}

/** A process printed a line. */
export interface LineEvent extends About {
  readonly type: 'line';
  readonly stream: OutputStream;
  readonly line: string;
}

/** A process cannot have the port that was meant for it. */
export interface PortConflictEvent extends About {
  readonly type: 'portConflict';
  readonly port: number;
  /** Who has it, where that can be found out. */
  readonly holder: PortHolder | undefined;
  /** The port taken instead; undefined: it waits for its own. */
  readonly replacement: number | undefined;
}

/** Everything that a mesh tells about itself. */
export type MeshEvent = StateEvent | LineEvent | PortConflictEvent;

/** The event of a type. */
export type MeshEventOf<T extends MeshEvent['type']> = Extract<MeshEvent, { type: T }>;

/** Passes events on; what a listener throws is its own affair and never hurts the mesh. */
export class MeshEvents {
  readonly #listeners = new Set<(event: MeshEvent) => void>();

  emit(event: MeshEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // Watching must not stop what is watched.
      }
    }
  }

  on<T extends MeshEvent['type']>(type: T, listener: (event: MeshEventOf<T>) => void): () => void {
    return this.onAny((event) => {
      if (event.type === type) listener(event as MeshEventOf<T>);
    });
  }

  onAny(listener: (event: MeshEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
