import type { CheckStatus } from './check.ts';

/** What is known of a target: nothing yet, or what its checks agreed on. */
export type TargetStatus = 'unknown' | CheckStatus;

/** How many results in a row move a target. */
export interface Tolerance {
  /** So many results in a row that are better than the status raise it. */
  readonly rise: number;
  /** So many results in a row that are worse than the status lower it. */
  readonly fall: number;
}

const worth: Readonly<Record<CheckStatus, number>> = { down: 0, degraded: 1, up: 2 };

/**
 * Where a target stands, after each result.
 *
 * ```
 *                 first result, whatever it is
 *   unknown ------------------------------------> up | degraded | down
 *
 *        fall results in a row        fall results in a row
 *        worse than up                worse than degraded
 *   up ----------------------> degraded ----------------------> down       (straight to down when all of the fall are down,
 *      <----------------------          <----------------------             or one of them is immediate)
 *        rise results up              rise results better than down
 * ```
 *
 * A row is counted for what all of its results reach: two times down and one time degraded (fall 3) lower a target to degraded only.
 */
export type Standing =
  | { readonly status: 'unknown'; readonly since: number }
  | {
      readonly status: CheckStatus;
      readonly since: number;
      /** What the last result said, if anything. */
      readonly message: string | undefined;
      /** Results in a row that were not up, that were down, that were not down, that were up. */
      readonly row: Row;
    };

interface Row {
  readonly notUp: number;
  readonly down: number;
  readonly notDown: number;
  readonly up: number;
}

/** Nobody has looked yet. */
export const unknown = (since: number): Standing => ({ status: 'unknown', since });

/** The standing after one more result. */
export function afterResult(
  standing: Standing,
  result: { readonly status: CheckStatus; readonly message?: string; readonly immediate?: boolean },
  now: number,
  tolerance: Tolerance,
): Standing {
  const row = lengthened(standing.status === 'unknown' ? none : standing.row, result.status);
  const immediate = result.status === 'down' && result.immediate === true;
  const status =
    standing.status === 'unknown' || immediate ? result.status : moved(standing.status, row, tolerance);
  const since = status === standing.status ? standing.since : now;
  return { status, since, message: result.message, row };
}

/** Whether the last results point elsewhere than the status does, so that the next one should come soon. */
export function isWavering(standing: Standing): boolean {
  if (standing.status === 'unknown') return false;
  const { status, row } = standing;
  if (status === 'up') return row.notUp > 0;
  return status === 'down' ? row.notDown > 0 : row.down > 0 || row.up > 0;
}

const none: Row = { notUp: 0, down: 0, notDown: 0, up: 0 };

function lengthened(row: Row, result: CheckStatus): Row {
  const value = worth[result];
  return {
    notUp: value < 2 ? row.notUp + 1 : 0,
    down: value < 1 ? row.down + 1 : 0,
    notDown: value > 0 ? row.notDown + 1 : 0,
    up: value > 1 ? row.up + 1 : 0,
  };
}

function moved(status: CheckStatus, row: Row, { rise, fall }: Tolerance): CheckStatus {
  if (status !== 'down' && row.down >= fall) return 'down';
  if (status !== 'up' && row.up >= rise) return 'up';
  if (status === 'up' && row.notUp >= fall) return 'degraded';
  if (status === 'down' && row.notDown >= rise) return 'degraded';
  return status;
}
