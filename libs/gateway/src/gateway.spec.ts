import { expect, test } from '@jest/globals';
import { gateway } from './gateway.ts';

test('gateway answers', () => {
  expect(gateway()).toBe('gateway');
});
