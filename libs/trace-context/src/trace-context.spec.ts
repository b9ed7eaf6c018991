import { expect, test } from '@jest/globals';
import { traceContext } from './trace-context.ts';

test('trace-context answers', () => {
  expect(traceContext()).toBe('trace-context');
});
