import type { Call } from './call.ts';

/** The innermost layer: calls the function; what it returns or throws, now or later, comes out of one promise. */
export function start(call: Call): Promise<unknown> {
  try {
    const result = call.fn(call);
    return result instanceof Promise ? result : Promise.resolve(result);
  } catch (error) {
    return rejection(error);
  }
}

const done = Promise.resolve();

/**
 * A promise that rejects in the next microtask. One that is born rejected costs three times as much: the engine first
 * reports it as unhandled and takes that back when the caller awaits it.
 */
export function rejection(reason: unknown): Promise<never> {
  return new Promise((_, reject) => {
    void done.then(() => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
      reject(reason);
    });
  });
}
