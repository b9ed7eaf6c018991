import { expect, test } from '@jest/globals';
import { discoveryClient } from './discovery-client.ts';

test('discovery-client answers', () => {
  expect(discoveryClient()).toBe('discovery-client');
});
