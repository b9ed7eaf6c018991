import { expect, test } from '@jest/globals';
import { loadBalancer } from './load-balancer.ts';

test('load-balancer answers', () => {
  expect(loadBalancer()).toBe('load-balancer');
});
