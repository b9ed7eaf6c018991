import { expect, test } from '@jest/globals';
import { discoveryServer } from './discovery-server.ts';

test('discovery-server answers', () => {
  expect(discoveryServer()).toBe('discovery-server');
});
