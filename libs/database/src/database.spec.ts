import { expect, test } from '@jest/globals';
import { database } from './database.ts';

test('database answers', () => {
  expect(database()).toBe('database');
});
