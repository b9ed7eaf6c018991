import { expect, test } from '@jest/globals';
import { orchestrator } from './orchestrator.ts';

test('orchestrator answers', () => {
  expect(orchestrator()).toBe('orchestrator');
});
