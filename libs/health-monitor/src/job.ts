import type { Check, CheckResult } from './check.ts';
import type { Due } from './due-queue.ts';
import type { Lane } from './lane.ts';

/** What a prober is asked to look at again and again. */
export interface ProbeTask {
  readonly check: Check;
  readonly timeoutMs: number;
  /** Milliseconds until the first look. */
  firstDelayMs(): number;
  /** Hears what a check found; `latencyMs` is undefined where the monitor disturbed the measurement. */
  found(result: CheckResult, latencyMs: number | undefined): void;
  /** Milliseconds until the next look. Asked after `found`, and after a check that was inconclusive. */
  nextDelayMs(inconclusive: boolean): number;
}

/**
 * One task of a prober.
 *
 * ```
 *   waiting --due--> queued --seat--> running --result or deadline--> waiting
 *      '--------------- removed from anywhere ---------------> gone
 * ```
 */
export type JobPhase =
  | { readonly name: 'waiting' }
  | { readonly name: 'queued'; readonly since: number }
  | {
      readonly name: 'running';
      readonly startedAt: number;
      readonly abort: (reason: Error) => void;
      /** Set when the monitor stalled while it ran: then a failure proves nothing. */
      readonly disturbed: boolean;
      /** Set when its deadline was put off, once, because the timer was late. */
      readonly extended: boolean;
    }
  | { readonly name: 'gone' };

/** A task and where it is. `dueAt` is the next look, or the deadline of the one that runs. */
export interface Job extends Due {
  readonly task: ProbeTask;
  phase: JobPhase;
  /** Where its checks sit; the slow lane once one of them lingered. */
  lane: Lane<Job>;
  /** The lane in which the check that runs has its seat. */
  seat: Lane<Job> | undefined;
  /** Counts its checks, so that the result of an older one is known as such. */
  turn: number;
}
