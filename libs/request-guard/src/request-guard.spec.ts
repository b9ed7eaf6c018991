import { expect, test } from '@jest/globals';
import { requestGuard } from './request-guard.ts';

test('request-guard answers', () => {
  expect(requestGuard()).toBe('request-guard');
});
