import type { Candidate, LeaseResult, Policy, PolicyTools, Tracker } from './policy.ts';
import { twoChoices } from './two-choices.ts';

/** The average of the response times looks back over so many typical ones. */
const memoryOfMedians = 30;
/** How much an open request counts that has been waiting: one that is older than expected says that worse is to come. */
const ageDivisor = 1.5;
/** Failures are forgiven with this time constant. */
const forgiveMs = 4000;
/** Weight of the newest outcome. */
const newestRatio = 0.5;
const successExponent = 4;
const leastSuccess = 1e-4;
/** The typical response time before the first answer. */
const unmeasuredMs = 10;

/**
 * The default: the less loaded of two by `max(base + latency, age of the oldest open request / 1.5) * (open + 1) / success^4`.
 * Sees what is slow (latency), what hangs (age), what is full (open requests) and what fails (success), and forgets it
 * in seconds, so that who recovers is used again.
 */
export function adaptivePolicy({ random }: PolicyTools): Policy<Pulse> {
  const pool = { medianMs: unmeasuredMs };
  return {
    track: () => new Pulse(pool),
    build(candidates) {
      let left = 0;
      const choices = twoChoices(candidates, random, loadOf);
      return {
        pick(request) {
          if (left-- <= 0) {
            pool.medianMs = medianOf(candidates) ?? pool.medianMs;
            left = Math.max(16, candidates.length);
          }
          return choices.pick(request);
        },
      };
    },
  };
}

interface Pool {
  medianMs: number;
}

/** What is known of one endpoint. */
class Pulse implements Tracker {
  readonly #pool: Pool;
  latencyMs: number | undefined;
  #latencyAt = 0;
  #success = 1;
  #successAt = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  ended({ outcome, latencyMs }: LeaseResult, nowMs: number): void {
    if (outcome === 'ignored') return;
    const success = outcome === 'success';
    this.#success = newestRatio * this.successRatio(nowMs) + (success ? 1 - newestRatio : 0);
    this.#successAt = nowMs;
    if (success && latencyMs !== undefined) this.#learn(latencyMs, nowMs);
  }

  successRatio(nowMs: number): number {
    if (this.#success >= 1) return 1;
    return 1 - (1 - this.#success) * Math.exp((this.#successAt - nowMs) / forgiveMs);
  }

  load(candidate: Candidate, nowMs: number): number {
    const { medianMs } = this.#pool;
    const expected = medianMs + (this.latencyMs ?? medianMs);
    const waited = (nowMs - candidate.oldestStartMs) / ageDivisor;
    const success = Math.max(leastSuccess, this.successRatio(nowMs) ** successExponent);
    return (Math.max(expected, waited) * (candidate.pressure + 1)) / success;
  }

  #learn(latencyMs: number, nowMs: number): void {
    const kept =
      this.latencyMs === undefined
        ? 0
        : Math.exp((this.#latencyAt - nowMs) / (memoryOfMedians * this.#pool.medianMs));
    this.latencyMs = kept * (this.latencyMs ?? 0) + (1 - kept) * latencyMs;
    this.#latencyAt = nowMs;
  }
}

function loadOf(candidate: Candidate<Pulse>, nowMs: number): number {
  return candidate.tracker.load(candidate, nowMs);
}

function medianOf(candidates: readonly Candidate<Pulse>[]): number | undefined {
  const known = candidates.flatMap(({ tracker }) => tracker.latencyMs ?? []).sort((a, b) => a - b);
  return known[known.length >> 1];
}
