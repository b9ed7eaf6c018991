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

/** All of 1, 5, 100 callers x 3, 20, 200 servers x 1, 10, 100 ms x 30, 60, 85 % load. */
export function grid(): readonly Setting[] {
  return [1, 10, 100].flatMap((serviceMs) =>
    [3, 20, 200].flatMap((servers) =>
      [1, 5, 100].flatMap((clients) =>
        [0.3, 0.6, 0.85].map((loadRatio) => at({ clients, servers, serviceMs, loadRatio })),
      ),
    ),
  );
}

/** Points of the grid, each away from the middle in one direction, where the field is ranked as well. */
export function neighbours(): readonly Setting[] {
  const middle = { clients: 5, servers: 20, serviceMs: 10, loadRatio: 0.6 };
  return [
    at({ ...middle, clients: 1 }),
    at({ ...middle, clients: 100 }),
    at({ ...middle, servers: 3 }),
    at({ ...middle, servers: 200, serviceMs: 100 }),
    at({ ...middle, loadRatio: 0.3 }),
    at({ ...middle, loadRatio: 0.85 }),
  ];
}

/** Above so many requests for each ms a run takes so long that only the whole grid has the point. */
export const mostInShort = 100;
/** Up to so many the fault lasts 20 s; above, all phases are shorter. */
const mostInFull = 10;

/** The research point, but for this; what comes back within 3 s needs no 40 s to show it. */
function at(difference: Pick<Setting, 'clients' | 'servers' | 'serviceMs' | 'loadRatio'>): Setting {
  const setting = { ...researchPoint, ...difference, healthyMs: 5_000, recoveryMs: 8_000 };
  const rate = rateOf(setting);
  if (rate <= mostInFull) return setting;
  if (rate <= mostInShort) return { ...setting, healthyMs: 1_500, faultMs: 8_000, recoveryMs: 4_000 };
  return { ...setting, healthyMs: 250, faultMs: 4_000, recoveryMs: 3_500 };
}
