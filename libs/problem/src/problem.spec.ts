import { expect, test } from '@jest/globals';
import { problem } from './problem.ts';

test('problem answers', () => {
  expect(problem()).toBe('problem');
});
