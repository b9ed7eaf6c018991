import { expect, test } from '@jest/globals';
import { serviceClient } from './service-client.ts';

test('service-client answers', () => {
  expect(serviceClient()).toBe('service-client');
});
