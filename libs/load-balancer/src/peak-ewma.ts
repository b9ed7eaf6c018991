import { numberIn } from './options.ts';
import type { Candidate, LeaseResult, Policy, PolicyTools, Tracker } from './policy.ts';
import { twoChoices } from './two-choices.ts';

/** What {@link peakEwmaPolicy} takes. */
export interface PeakEwmaOptions {
  /** Time constant with which a peak is forgotten, ms; default 10 000. */
  readonly decayMs?: number;
}

/** The cost of who has never answered and is being asked for the first time. */
const untriedMs = 1e9;

/**
 * The less loaded of two by `cost * (open leases + 1)`, where the cost jumps to every response time above it and forgets slowly
 * (Finagle's peak EWMA). Careful with who was slow once, blind for who fails fast: `adaptive` is not.
 *
 * @throws RangeError when the decay makes no sense.
 */
export function peakEwmaPolicy(
  { random }: PolicyTools,
  { decayMs = 10_000 }: PeakEwmaOptions = {},
): Policy<Peak> {
  numberIn('decayMs', decayMs, 1);
  return {
    track: () => new Peak(decayMs),
    build: (candidates) => twoChoices(candidates, random, loadOf),
  };
}

class Peak implements Tracker {
  readonly #decayMs: number;
  #costMs = 0;
  #stampMs = 0;

  constructor(decayMs: number) {
    this.#decayMs = decayMs;
  }

  ended({ outcome, latencyMs = NaN }: LeaseResult, nowMs: number): void {
    if (outcome === 'ignored' || !(latencyMs >= 0)) return;
    const kept = Math.exp((this.#stampMs - nowMs) / this.#decayMs);
    this.#costMs = latencyMs > this.#costMs ? latencyMs : this.#costMs * kept + latencyMs * (1 - kept);
    this.#stampMs = nowMs;
  }

  load({ inflight, pressure }: Candidate, nowMs: number): number {
    if (this.#costMs === 0) return inflight > 0 ? untriedMs + pressure : 0;
    return this.#costMs * Math.exp((this.#stampMs - nowMs) / this.#decayMs) * (pressure + 1);
  }
}

function loadOf(candidate: Candidate<Peak>, nowMs: number): number {
  return candidate.tracker.load(candidate, nowMs);
}
