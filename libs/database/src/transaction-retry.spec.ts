import { expect, test } from '@jest/globals';
import { retryConflicts } from './transaction-retry.ts';

function failing(codes: string[]) {
  let runs = 0;
  const run = () => {
    const code = codes[runs];
    runs += 1;
    return code === undefined
      ? Promise.resolve(runs)
      : Promise.reject(Object.assign(new Error(code), { code }));
  };
  return { run, runs: () => runs };
}

const noPause = () => Promise.resolve();

test('a transaction that was sacrificed to another runs again', async () => {
  expect(await retryConflicts(failing(['40001', '40P01']).run, noPause)).toBe(3);
});

test('three times at most', async () => {
  const { run, runs } = failing(['40001', '40001', '40001', '40001']);
  await expect(retryConflicts(run, noPause)).rejects.toMatchObject({ code: '40001' });
  expect(runs()).toBe(3);
});

test('any other failure is final', async () => {
  const { run, runs } = failing(['23505']);
  await expect(retryConflicts(run, noPause)).rejects.toMatchObject({ code: '23505' });
  expect(runs()).toBe(1);
});
