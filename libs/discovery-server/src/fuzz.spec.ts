import { expect, test } from '@jest/globals';
import { fuzzRequests } from './testing/request-fuzz.ts';

test('whatever is asked, the answer is not 5xx, an error is problem JSON, and the registry goes on', async () => {
  const { statuses, fault, isHealthy } = await fuzzRequests(1000);
  expect(fault).toBeUndefined();
  // It got through, to the registry, and was refused: otherwise it tries nothing.
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 201, 400, 404, 405]));
  expect(isHealthy).toBe(true);
  expect(Object.prototype).not.toHaveProperty('admin');
}, 600_000);
