import { AdaptivePool } from './adaptive-pool.ts';
import { AdaptivePulse } from './adaptive-pulse.ts';
import type { Candidate, Policy, PolicyTools } from './policy.ts';
import { twoChoices } from './two-choices.ts';

/**
 * The default: the less loaded of two at random, where everything counts that makes an endpoint a bad choice.
 *
 * ```
 * load      (typical / 2 + max(expected, silent)) * (pressure * (1 + 10 * doubt) + 1) * (1 + doubt)^2
 *
 * typical   median response time of all the endpoints
 * expected  average of this one's over the last 60 typical response times (at most 500 ms); what it exceeds the typical by
 *           fades with the age A of the newest answered request, by 1 - (A / 2.8 s)^2; 0 before the first
 * silent    how long a request has been open that no later one has overtaken; fades with the time since the newest request
 * pressure  open requests for each unit of weight
 * doubt     the odds that it is broken, by Bayes' rule, halved every 370 ms:
 *           after a failure   min(100, (doubt + prior) * 0.6 / failure ratio of the pool), as of when the request was sent
 *           after a success   doubt * 0.4
 *           counted up to 9, and in the first factor from 0.3 while it has not answered yet
 * prior     seconds since its last success, 0.0001 to 0.1
 * ```
 *
 * Why so (each found, and checked, by the simulation in `bench/simulation`):
 * - Response times alone draw everybody to what fails at once; so do open requests alone, and they see late what is slow.
 *   How long an endpoint has been silent is the first sign of a pause. Age alone is not: a download is no silence.
 * - A long memory keeps away who is well again: 10 s of it, as in a peak EWMA, cost 10 to 40 s. Here all that is bad fades
 *   in less than 3 s without a timer, late but steeply, so that who is bad gets one request in 2.5 to 3 s from each
 *   caller, at any number of callers and any rate. That request is the price of being back within 3 s.
 * - A failure counts by what it says: in a pool that never fails it convicts, where everybody fails 1 % it does not (the
 *   good ones would take turns in being avoided), nor at one that has just answered well hundreds of times in a second.
 * - Doubt has a limit: where the others cannot do it all, who is broken gets the rest, instead of everybody timing out.
 * - Who is in doubt is tested by one request, not by all that come before the test has ended. Who is new gets its first
 *   one at once, the next ones later than others.
 *
 * Two choices: Mitzenmacher 2001. Response time times open requests: Finagle's peak EWMA. Success and the age of open
 * requests as parts of the load: kratos. O(1), no timers, allocates nothing.
 */
export function adaptivePolicy({ random }: PolicyTools): Policy<AdaptivePulse> {
  const pool = new AdaptivePool();
  return {
    track: () => new AdaptivePulse(pool),
    build: (candidates) => twoChoices(candidates, random, loadOf),
  };
}

function loadOf(candidate: Candidate<AdaptivePulse>, nowMs: number): number {
  return candidate.tracker.load(candidate, nowMs);
}
