import { expect, test } from '@jest/globals';
import { fuzzGateway } from '../testing/wire-fuzz.ts';

test('whatever is written to the gateway, an instance reads plain requests with one identity each', async () => {
  const { inputs, arrived } = await fuzzGateway(3_200);
  // Otherwise nothing was judged.
  expect(arrived).toBeGreaterThan(inputs / 20);
}, 120_000);
