/** A configuration that cannot work; the message names the service, the setting and the value. */
export class MeshConfigError extends RangeError {
  override readonly name = 'MeshConfigError';
  readonly code = 'ERR_MESH_CONFIG';

  constructor(message: string, options?: ErrorOptions) {
    super(`mesh: ${message}`, options);
  }
}

/** Recognises a {@link MeshConfigError} by its code, also one from another copy of this package. */
export function isMeshConfigError(error: unknown): error is MeshConfigError {
  return (error as { code?: unknown } | null | undefined)?.code === 'ERR_MESH_CONFIG';
}
