import type { Check } from './check.ts';
import { codeOf, signalZero } from './node-api.ts';

/**
 * Up while there is a process of this id on this machine. That it is the one you mean, and that it works, it cannot say. Down at once when there is none:
 * the system knows.
 */
export function processCheck(pid: number | (() => number | undefined)): Check {
  return () => {
    const id = typeof pid === 'number' ? pid : pid();
    if (id === undefined) return { status: 'down', immediate: true, message: 'not started' };
    // 0 and negative numbers are groups of processes.
    if (!Number.isSafeInteger(id) || id < 1)
      throw new RangeError(`healthMonitor: pid must be an integer >= 1, got ${id}`);
    try {
      signalZero(id);
    } catch (error) {
      // Somebody else's process is alive too.
      if (codeOf(error) !== 'EPERM') return { status: 'down', immediate: true, message: `no process ${id}` };
    }
    return undefined;
  };
}
