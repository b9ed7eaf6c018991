import { describe, expect, test } from '@jest/globals';
import { CircuitOpenError, circuitOpenError, isCircuitOpenError } from './errors.ts';
import { boom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';

trapRejections();

test('isCircuitOpenError knows the errors of another installed copy, and nothing else', () => {
  expect(isCircuitOpenError(Object.assign(new Error('x'), { code: 'ERR_CIRCUIT_OPEN' }))).toBe(true);
  for (const other of [undefined, null, 'ERR_CIRCUIT_OPEN', { code: 'ERR_CIRCUIT_OPEN' }, new Error('x')]) {
    expect(isCircuitOpenError(other)).toBe(false);
  }
});

describe('CircuitOpenError', () => {
  const refusal = { circuit: 'users', reason: 'open', retryAfterMs: 5, cause: boom } as const;

  test('shows what it knows, and keeps its cause from JSON and from enumeration', () => {
    const error = circuitOpenError(refusal);
    expect(Object.fromEntries(Object.entries(error))).toEqual({
      circuit: 'users',
      reason: 'open',
      retryAfterMs: 5,
    });
    expect(JSON.stringify(error)).not.toContain('boom');
    expect(error.cause).toBe(boom);
    expect(String(error)).toBe('CircuitOpenError: circuit "users" is open');
    expect((CircuitOpenError.prototype as Error).cause).toBeUndefined();
  });

  test('one that you make yourself has a stack', () => {
    expect(new CircuitOpenError(refusal).stack).toContain('errors.spec');
  });

  const constructors = Error as unknown as { stackTraceLimit?: number };

  test.each([[7], [undefined]])('leaves the stack depth of others as it was: %p', (limit) => {
    const before = constructors.stackTraceLimit;
    try {
      if (limit === undefined) delete constructors.stackTraceLimit;
      else constructors.stackTraceLimit = limit;
      circuitOpenError(refusal);
      expect(Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')?.value).toBe(limit);
      expect('stackTraceLimit' in Error).toBe(limit !== undefined);
    } finally {
      constructors.stackTraceLimit = before ?? 10;
    }
  });

  test('is made with a stack where Error is frozen', () => {
    const before = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') ?? {};
    Object.defineProperty(Error, 'stackTraceLimit', { ...before, writable: false });
    try {
      expect(circuitOpenError(refusal).cause).toBe(boom);
    } finally {
      Object.defineProperty(Error, 'stackTraceLimit', { ...before, writable: true });
    }
  });
});
