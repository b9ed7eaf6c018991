/**
 * Why a call was refused: the circuit is open; it is half-open and all trials are under way; it is closed again and lets only a part
 * of the calls pass yet; somebody holds it open.
 */
export type RefusalReason = 'open' | 'half-open-full' | 'ramping' | 'isolated';

/** A refused call. */
export interface Refusal {
  readonly circuit: string;
  readonly reason: RefusalReason;
  /** Milliseconds until the circuit may let a call through; 0 when that may be any moment, or nobody knows. */
  readonly retryAfterMs: number;
  /** The failure that opened the circuit: what was thrown, or the returned value that was judged a failure. */
  readonly cause: unknown;
}

const words: Readonly<Record<RefusalReason, string>> = {
  open: 'open',
  'half-open-full': 'half-open and its trials are under way',
  ramping: 'closed again and lets only a part of the calls pass yet',
  isolated: 'held open',
};

const constructors = Error as unknown as { stackTraceLimit?: number };

/**
 * Rejection of a call that was not made. It has no stack trace: it is thrown where calls are most frequent and says
 * nothing about the code that made the call.
 */
export class CircuitOpenError extends Error {
  declare readonly name: 'CircuitOpenError';
  declare readonly code: 'ERR_CIRCUIT_OPEN';
  /** The failure that opened the circuit. */
  declare readonly cause: unknown;
  /** Name of the circuit. */
  readonly circuit: string;
  readonly reason: RefusalReason;
  /** Milliseconds until the circuit may let a call through; 0 when that may be any moment, or nobody knows. */
  readonly retryAfterMs: number;
  readonly #cause: unknown;

  static {
    Object.assign(this.prototype, { name: 'CircuitOpenError', code: 'ERR_CIRCUIT_OPEN' });
    // Not by Error's option `cause`, which more than doubles what the error costs; as hidden from JSON as that.
    Object.defineProperty(this.prototype, 'cause', {
      get(this: object): unknown {
        return #cause in this ? this.#cause : undefined;
      },
      configurable: true,
    });
  }

  constructor({ circuit, reason, retryAfterMs, cause }: Refusal) {
    super(`circuit "${circuit}" is ${words[reason]}`);
    this.circuit = circuit;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.#cause = cause;
  }
}

/** Makes the error without capturing a stack, which would cost more than everything else together. */
export function circuitOpenError(refusal: Refusal): CircuitOpenError {
  const limit = constructors.stackTraceLimit;
  try {
    constructors.stackTraceLimit = 0;
  } catch {
    // Frozen intrinsics: then it has a stack.
    return new CircuitOpenError(refusal);
  }
  const error = new CircuitOpenError(refusal);
  if (limit === undefined) delete constructors.stackTraceLimit;
  else constructors.stackTraceLimit = limit;
  return error;
}

/** Whether `error` is a {@link CircuitOpenError}, of this or of another installed copy. */
export function isCircuitOpenError(error: unknown): error is CircuitOpenError {
  return error instanceof Error && (error as { code?: unknown }).code === 'ERR_CIRCUIT_OPEN';
}

/** Stands for the answer that a trial never gave. */
export function lostTrialError(circuit: string, leaseMs: number): Error {
  const error = new Error(`a trial call of circuit "${circuit}" gave no answer within ${leaseMs} ms`);
  return Object.assign(error, { code: 'ERR_TIMEOUT' });
}
