import { expect, test } from '@jest/globals';
import { serviceKit } from './service-kit.ts';

test('service-kit answers', () => {
  expect(serviceKit()).toBe('service-kit');
});
