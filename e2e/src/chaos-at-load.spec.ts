/** The short version of `npm run bench -- mesh-chaos`: the same cases at a small load; what is asserted is that no read fails. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { ChaosWorld } from './chaos-world.ts';
import type { LoadReport } from './steady-load.ts';

const perSecond = 50;
const attemptTimeoutMs = 1_000;
let world: ChaosWorld;

beforeAll(async () => {
  world = await ChaosWorld.start({ ATTEMPT_TIMEOUT_MS: String(attemptTimeoutMs) });
});
afterEach(() => world.settle());
afterAll(() => world.stop());

async function noneFails(disturb: () => Promise<unknown>): Promise<LoadReport> {
  const report = await world.readDuring(perSecond, disturb);
  expect(report.faults).toEqual([]);
  expect(report.sent).toBeGreaterThan(perSecond);
  return report;
}

test('a rolling restart of both gateways: a client that goes to the other one loses nothing', async () => {
  const { askedTwice } = await noneFails(() => world.restartGateways());
  expect(askedTwice).toBeGreaterThan(0);
});

test('an instance that hangs holds a read up once, and is left alone then', async () => {
  await noneFails(() => world.hang('user-service', 3 * attemptTimeoutMs));
});

test('an instance that fails a third of its requests is seen by nobody', async () => {
  await noneFails(() =>
    world.join('order-service', { ERROR_RATIO: '0.3' }, 3_000, ({ failed }) => failed > 0),
  );
});

test('an instance that is ten times slower gets less to do', async () => {
  let asked = 0;
  const { sent } = await noneFails(async () => {
    ({ asked } = await world.join('user-service', { DELAY_MS: '100' }, 3_000));
  });
  // Four of five reads go to this service, which has four instances now.
  expect(asked).toBeLessThan((sent * 0.6) / 4);
});
