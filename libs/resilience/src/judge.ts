import type { CallResult } from './call.ts';

/** Whether a policy shall act on how a call ended. It is not asked about a call that its caller has aborted. */
export type Handle = (result: CallResult) => boolean;

/** Asks the user's predicate; where it throws, the usual answer holds and a `fault` tells. */
export function judge(
  handle: Handle | undefined,
  usual: Handle,
  result: CallResult,
  events: { fault(error: unknown): void },
): boolean {
  if (handle === undefined) return usual(result);
  try {
    return handle(result);
  } catch (error) {
    events.fault(error);
    return usual(result);
  }
}
