/** The gates of the simulator (`npm run bench -- balancer-sim` has the whole of it): same seed, same figures, on any machine. */
import { describe, expect, test } from '@jest/globals';
import { anchors } from '../bench/simulation/anchors/index.ts';
import {
  blackHole,
  coldStart,
  failsFast,
  halfErrors,
  noise,
  pauses,
  slow,
} from '../bench/simulation/fault.ts';
import type { Fault, Setting } from '../bench/simulation/fault.ts';
import { goals } from '../bench/simulation/goal.ts';
import { adaptive, adaptiveEjecting } from '../bench/simulation/ours.ts';
import { rankSums } from '../bench/simulation/ranking.ts';
import { race } from '../bench/simulation/report.ts';
import { researchPoint } from '../bench/simulation/setting.ts';
import { Simulation } from '../bench/simulation/simulation.ts';

const short: Setting = { ...researchPoint, healthyMs: 1_000, recoveryMs: 5_000 };
/** Where nothing is shared out over the length of the fault. */
const brief: Setting = { ...short, faultMs: 5_000 };
const failing = [failsFast, halfErrors, blackHole];
const field = [...anchors, adaptive];

const run = (fault: Fault, contender = adaptive, setting = short, seed = 1) =>
  new Simulation(setting, fault, contender, seed).run();

describe('adaptive at the research point', () => {
  test.each(failing)('$name: at most 0.2 % errors, its share back within 3 s', (fault) => {
    const { errorRatio, regainMs } = run(fault);
    expect(errorRatio).toBeLessThanOrEqual(goals.errorRatio);
    expect(regainMs).toBeLessThanOrEqual(goals.regainMs);
  });

  test.each([slow, coldStart])('$name: no errors, its share back within 3 s', (fault) => {
    const { errorRatio, regainMs } = run(fault, adaptive, brief);
    expect(errorRatio).toBe(0);
    expect(regainMs).toBeLessThanOrEqual(goals.regainMs);
  });

  test('pauses of 300 ms leave p99 within 60 ms', () => {
    expect(run(pauses, adaptive, { ...short, faultMs: 12_000 }).p99Ms).toBeLessThanOrEqual(goals.pausesP99Ms);
  });

  test.each(failing)('$name with ejection: at most 0.05 % errors', (fault) => {
    expect(run(fault, adaptiveEjecting).errorRatio).toBeLessThanOrEqual(goals.ejectingErrorRatio);
  });

  test('noise that all servers have costs no more than it costs the best of the field', () => {
    const [rows = []] = race({ ...brief, faultMs: 3_000 }, [noise], field);
    const p99s = rows.map(({ p99Ms }) => p99Ms);
    expect(p99s.at(-1)).toBeLessThanOrEqual(1.1 * Math.min(...p99s));
  });
});

describe('adaptive away from it, with the same parameters', () => {
  test.each([
    { clients: 1, servers: 3, serviceMs: 10, loadRatio: 0.3 },
    { clients: 1, servers: 20, serviceMs: 100, loadRatio: 0.6 },
    { clients: 1, servers: 3, serviceMs: 10, loadRatio: 0.6 },
  ])('$clients x $servers, $serviceMs ms, $loadRatio', (difference) => {
    for (const fault of failing) {
      const { errorRatio, regainMs } = run(fault, adaptive, { ...short, ...difference });
      expect(errorRatio).toBeLessThanOrEqual(goals.errorRatio);
      expect(regainMs).toBeLessThanOrEqual(goals.regainMs);
    }
  });

  test('sheds what there is no room for, instead of making everybody time out', () => {
    const full = { ...short, clients: 5, servers: 3, loadRatio: 0.85 };
    // 0.85 * 3 / 2 = 1.275 of the room that is left: 1 - 1 / 1.275 = 21.6 % cannot be done.
    const { errorRatio, p50Ms } = run(failsFast, adaptive, full);
    expect(errorRatio).toBeLessThan(0.23);
    expect(p50Ms).toBeLessThan(researchPoint.timeoutMs / 2);
  });
});

describe('the field', () => {
  const scenarios = [failsFast, blackHole, slow, pauses];
  const rows = race({ ...short, clients: 5, faultMs: 3_000 }, scenarios, field);

  test('adaptive has the best rank sum', () => {
    const sums = rankSums(rows);
    expect(sums.indexOf(Math.min(...sums))).toBe(field.indexOf(adaptive));
  });

  test('the simulator shows what each of the others is known for', () => {
    const [roundRobin, leastRequests, finagle, linkerd] = rows[0] ?? [];
    expect(roundRobin?.errorRatio).toBeCloseTo(1 / 20, 2);
    expect(leastRequests?.errorRatio).toBeGreaterThan(roundRobin?.errorRatio ?? 1);
    expect(finagle?.errorRatio).toBeGreaterThan(leastRequests?.errorRatio ?? 1);
    expect(linkerd?.errorRatio).toBeLessThan(goals.errorRatio);
    expect(linkerd?.regainMs).toBeGreaterThan(goals.regainMs);
  });
});

test('the same seed gives the same figures, another gives others', () => {
  const blink = { ...short, healthyMs: 500, faultMs: 1_000, recoveryMs: 500 };
  const figures = run(failsFast, adaptive, blink);
  expect(run(failsFast, adaptive, blink)).toEqual(figures);
  expect(run(failsFast, adaptive, blink, 2)).not.toEqual(figures);
});
