import type { Instance } from './instance.ts';

/** A registration that keeps itself alive until it is ended. */
export interface Registration {
  /** As the registry last accepted it. */
  readonly instance: Instance;
  /** Says goodbye and ends the heartbeats. Resolves also when the registry did not hear it; then the lease runs out. */
  deregister(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
