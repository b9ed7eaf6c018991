import { isTimeout } from './abort-signal.ts';

/** The part of a layer's call that tells whether anybody still waits for it; a call that has none of it is always waited for. */
export interface Abortable {
  readonly aborted?: boolean;
  readonly reason?: unknown;
  /** Listens for the abort. @returns the way to stop. */
  onAbort?(listener: () => void): () => void;
}

/** Whether nobody wants the answer any more; a time limit that ran out is another matter: the caller still wanted it. */
export function isAbandonedCall(call: Abortable): boolean {
  return call.aborted === true && !isTimeout(call.reason);
}
