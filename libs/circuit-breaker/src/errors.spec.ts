import { expect, test } from '@jest/globals';
import { isCircuitOpenError } from './errors.ts';
import { trapRejections } from './testing/rejection-trap.ts';

trapRejections();

test('isCircuitOpenError knows the errors of another installed copy, and nothing else', () => {
  expect(isCircuitOpenError(Object.assign(new Error('x'), { code: 'ERR_CIRCUIT_OPEN' }))).toBe(true);
  for (const other of [undefined, null, 'ERR_CIRCUIT_OPEN', { code: 'ERR_CIRCUIT_OPEN' }, new Error('x')]) {
    expect(isCircuitOpenError(other)).toBe(false);
  }
});
