import type { Setting } from './fault.ts';

/** The point of the research: 20 callers of 20 servers, 10 ms, 60 % busy; 10 s well, 20 s of fault, 40 s to come back. */
export const researchPoint: Setting = {
  clients: 20,
  servers: 20,
  slots: 4,
  serviceMs: 10,
  loadRatio: 0.6,
  timeoutMs: 1_000,
  healthyMs: 10_000,
  faultMs: 20_000,
  recoveryMs: 40_000,
};

/** Requests for each millisecond, of all clients. */
export function rateOf({ servers, slots, serviceMs, loadRatio }: Setting): number {
  return (servers * slots * loadRatio) / serviceMs;
}

/** `5 clients x 20 servers, 10 ms, 60 %` */
export function nameOf({ clients, servers, serviceMs, loadRatio }: Setting): string {
  return `${clients} x ${servers}, ${serviceMs} ms, ${loadRatio * 100} %`;
}

/** So many requests a second are simulated for the whole 20 s; with more of them the phases are shorter. */
const fullRate = 10;
const busyRate = 100;

/** All of 1, 5, 100 callers x 3, 20, 200 servers x 1, 10, 100 ms x 30, 60, 85 % load. */
export function grid(): readonly Setting[] {
  return [1, 10, 100].flatMap((serviceMs) =>
    [3, 20, 200].flatMap((servers) =>
      [1, 5, 100].flatMap((clients) =>
        [0.3, 0.6, 0.85].map((loadRatio) =>
          bounded({ ...researchPoint, clients, servers, serviceMs, loadRatio }),
        ),
      ),
    ),
  );
}

/** The same point with phases so short that a run stays within some three million requests. */
export function bounded(setting: Setting): Setting {
  const rate = rateOf(setting);
  if (rate <= fullRate) return { ...setting, healthyMs: 5_000, recoveryMs: 8_000 };
  if (rate <= busyRate) return { ...setting, healthyMs: 1_500, faultMs: 8_000, recoveryMs: 4_000 };
  return { ...setting, healthyMs: 500, faultMs: 4_000, recoveryMs: 3_500 };
}
