/** Why a process, and with it the start of a mesh, did not become ready. */
export type StartFailure = 'timeout' | 'failed' | 'stopped';

/** A process did not become ready; the message says at which gate it waited, or why it ended. */
export class MeshStartError extends Error {
  override readonly name = 'MeshStartError';
  readonly code = 'ERR_MESH_START';
  /** Name of the process. */
  readonly instance: string;
  /** `timeout`: not ready in time. `failed`: it ended, or crashed too often. `stopped`: somebody stopped it. */
  readonly failure: StartFailure;
  /** Its last lines of output, at most 20. */
  readonly lastLines: readonly string[];

  constructor(instance: string, failure: StartFailure, reason: string, lastLines: readonly string[] = []) {
    super(`${instance} ${reason}`);
    this.instance = instance;
    this.failure = failure;
    this.lastLines = lastLines;
  }
}

/** Recognises a {@link MeshStartError} by its code, also one from another copy of this package. */
export function isMeshStartError(error: unknown): error is MeshStartError {
  return (error as { code?: unknown } | null | undefined)?.code === 'ERR_MESH_START';
}
