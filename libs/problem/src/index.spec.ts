import { expect, test } from '@jest/globals';
import * as problem from './index.ts';

test('exports what the README names', () => {
  expect(Object.keys(problem).sort()).toEqual([
    'HttpProblem',
    'isHttpProblem',
    'notFound',
    'problemHeaders',
    'sendProblem',
    'statusByCode',
    'toProblem',
  ]);
});
