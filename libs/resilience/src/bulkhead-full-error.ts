import { withoutStack } from './without-stack.ts';

/** Why there was no place: the queue is full (or there is none), or the wait in it took too long. */
export type BulkheadFullReason = 'queue-full' | 'wait-too-long';

/** A call that was not made, because too many are under way. It has no stack trace. */
export class BulkheadFullError extends Error {
  declare readonly name: 'BulkheadFullError';
  declare readonly code: 'ERR_BULKHEAD_FULL';
  /** Name of the bulkhead. */
  readonly bulkhead: string;
  readonly reason: BulkheadFullReason;

  static {
    Object.assign(this.prototype, { name: 'BulkheadFullError', code: 'ERR_BULKHEAD_FULL' });
  }

  constructor(bulkhead: string, reason: BulkheadFullReason) {
    super(
      `bulkhead "${bulkhead}" ${reason === 'queue-full' ? 'is full' : 'had no free slot within the longest wait'}`,
    );
    this.bulkhead = bulkhead;
    this.reason = reason;
  }
}

export function bulkheadFullError(bulkhead: string, reason: BulkheadFullReason): BulkheadFullError {
  return withoutStack(() => new BulkheadFullError(bulkhead, reason));
}

/** Whether `error` is a {@link BulkheadFullError}, of this or of another installed copy. */
export function isBulkheadFullError(error: unknown): error is BulkheadFullError {
  return error instanceof Error && (error as { code?: unknown }).code === 'ERR_BULKHEAD_FULL';
}
