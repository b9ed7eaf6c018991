import { setTimeout as sleep } from 'node:timers/promises';
import { fieldsOf } from './errors.ts';

const attempts = 3;
const stepMs = 20;

/** `serialization_failure` and `deadlock_detected`: the transaction was rolled back so that another could go on. */
const conflicts: readonly unknown[] = ['40001', '40P01'];

/** Runs a transaction again when PostgreSQL sacrificed it to another one. At most three times, with full jitter. */
export async function retryConflicts<T>(
  run: () => Promise<T>,
  pause: (ms: number) => Promise<unknown> = sleep,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt === attempts || !isConflict(error)) throw error;
      await pause(Math.random() * stepMs * 2 ** attempt);
    }
  }
}

function isConflict(error: unknown): boolean {
  return conflicts.includes(fieldsOf(error).code);
}
