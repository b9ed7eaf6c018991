import { expect, test } from '@jest/globals';
import type { ProcessSnapshot } from '@mesh/orchestrator';
import { findTarget } from './console.ts';

const processes = [
  'user-service-4000',
  'user-service-4001',
  'order-service-5000',
  'order-admin-5001',
  'base',
].map((instance) => ({ instance, service: instance.replace(/-\d+$/, '') }) as ProcessSnapshot);

test.each([
  ['user-service', 'user-service'],
  ['user', 'user-service'],
  ['user-service-4001', 'user-service-4001'],
  ['order-s', 'order-service'],
  ['user-service-4', /"user-service-4" may be user-service-4000 or user-service-4001/],
  ['order', /"order" may be order-service or order-admin/],
  ['shop', /there is no "shop"; there are user-service-4000, /],
])('%s', (name, expected) => {
  if (typeof expected === 'string') expect(findTarget(name, processes)).toBe(expected);
  else expect(() => findTarget(name, processes)).toThrow(expected);
});
