import { count, duration, ratio } from './range.ts';
import { isWavering, type Standing } from './standing.ts';

/** When a target is looked at, and how many results move it. */
export interface Timing {
  /** Between two checks of a target that is what it was, in milliseconds. Default 10 000. */
  readonly intervalMs?: number;
  /** Longest that a check may take, in milliseconds. Default 2000, at most the interval. */
  readonly timeoutMs?: number;
  /** Between two checks while results and status differ, and first of all of a target that is down, in milliseconds. Default 1000, at most the interval. */
  readonly edgeIntervalMs?: number;
  /** Between two checks of a target that is up and from which no traffic was heard of for as long, in milliseconds. Default: the interval. */
  readonly idleIntervalMs?: number;
  /** By up to this part a check comes sooner, so that checks do not fall into step, 0 to 1. Default 0.1. */
  readonly jitterRatio?: number;
  /** Better results in a row that raise the status. Default 2. */
  readonly rise?: number;
  /** Worse results in a row that lower it. Default 3. */
  readonly fall?: number;
}

/** A timing, complete and checked. @throws RangeError naming the option and its value. */
export function readTiming(timing: Timing): Required<Timing> {
  const intervalMs = duration('intervalMs', timing.intervalMs ?? 10_000);
  return {
    intervalMs,
    timeoutMs: duration('timeoutMs', timing.timeoutMs ?? Math.min(2000, intervalMs)),
    edgeIntervalMs: duration('edgeIntervalMs', timing.edgeIntervalMs ?? Math.min(1000, intervalMs)),
    idleIntervalMs: duration('idleIntervalMs', timing.idleIntervalMs ?? intervalMs),
    jitterRatio: ratio('jitterRatio', timing.jitterRatio ?? 0.1),
    rise: count('rise', timing.rise ?? 2),
    fall: count('fall', timing.fall ?? 3),
  };
}

/** What the time until the next check depends on. */
export interface Situation {
  readonly standing: Standing;
  /** The last check said nothing, through no fault of the target. */
  readonly inconclusive: boolean;
  readonly idle: boolean;
  /** How long it takes at least to ask every target once, in milliseconds. */
  readonly roundMs: number;
  /** 0 to 1. */
  readonly random: number;
}

/** Milliseconds until the next check. */
export function delayAfter(timing: Required<Timing>, situation: Situation): number {
  return baseDelay(timing, situation) * (1 - timing.jitterRatio * situation.random);
}

function baseDelay(timing: Required<Timing>, situation: Situation): number {
  const { standing, inconclusive, idle, roundMs } = situation;
  const { intervalMs, edgeIntervalMs, idleIntervalMs, fall } = timing;
  if (inconclusive || isWavering(standing)) return edgeIntervalMs;
  if (standing.status !== 'down') return Math.max(roundMs, idle ? idleIntervalMs : intervalMs);
  // A target that stays down is asked less and less, until it is asked as often as any other.
  const since = Math.min(30, Math.max(0, standing.row.down - fall));
  return Math.min(Math.max(roundMs, intervalMs, edgeIntervalMs), edgeIntervalMs * 2 ** since);
}
