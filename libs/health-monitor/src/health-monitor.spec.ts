import { expect, test } from '@jest/globals';
import { healthMonitor } from './health-monitor.ts';

test('health-monitor answers', () => {
  expect(healthMonitor()).toBe('health-monitor');
});
