import { expect, test } from '@jest/globals';
import { resilience } from './resilience.ts';

test('resilience answers', () => {
  expect(resilience()).toBe('resilience');
});
