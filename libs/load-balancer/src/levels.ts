/** How many endpoints of one priority can be used, of how many. */
export interface LevelHealth {
  readonly healthy: number;
  readonly total: number;
}

/** What one priority gets of the traffic. */
export interface LevelShare {
  /** 0 to 1; those of all levels sum to 1. */
  readonly ratio: number;
  /** So few are healthy that all are used, sick ones too: better some failures than the end of those that are left. */
  readonly panics: boolean;
}

/** A level counts as whole while this many times its healthy part is at least all of it: 72 % carry the work of 100 %. */
const overprovisioning = 1.4;

/**
 * Splits the traffic over the priorities: a level that has lost more than it can do without passes the rest on to the next,
 * and panics when less than `panicRatio` of it is healthy and the levels together cannot carry everything (Envoy).
 */
export function levelShares(levels: readonly LevelHealth[], panicRatio: number): readonly LevelShare[] {
  const healths = levels.map(({ healthy, total }) =>
    total > 0 ? Math.min(1, (overprovisioning * healthy) / total) : 0,
  );
  const sum = healths.reduce((all, health) => all + health, 0);
  if (sum === 0) return sizes(levels, panicRatio > 0);
  let left = 1;
  return levels.map(({ healthy, total }, at) => {
    const ratio = Math.min(left, (healths[at] ?? 0) / Math.min(1, sum));
    left -= ratio;
    return { ratio, panics: sum < 1 && healthy < panicRatio * total };
  });
}

/** Nobody is healthy: each level gets what it has endpoints for. */
function sizes(levels: readonly LevelHealth[], panics: boolean): readonly LevelShare[] {
  const all = levels.reduce((sum, { total }) => sum + total, 0);
  return levels.map(({ total }) => ({ ratio: all > 0 ? total / all : 1 / levels.length, panics }));
}
