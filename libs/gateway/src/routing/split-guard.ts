import type { Rollback } from './route-schema.ts';

/** How a request of a branch ended. */
export type BranchOutcome = 'success' | 'failure';

/** A branch that was turned off, and why. */
export interface RolledBack {
  readonly branch: string;
  /** Share of its answers that failed, 0..1. */
  readonly failureRatio: number;
  /** The same of the branch it is measured against. */
  readonly stableRatio: number;
  readonly samples: number;
}

/** Parts of the window that are forgotten one at a time. */
const slices = 10;

interface Slice {
  readonly number: number;
  total: number;
  failed: number;
}

/**
 * Watches the branches of a split, and says when one fails more than the first branch (the stable one) does, by more than the margin and
 * with enough answers seen. It says so once for each branch; what is done about it is the caller's business. Pure: its clock is given.
 *
 *   watched ──failureRatio > stableRatio + marginRatio, samples >= minimumSamples──▶ rolled back (for good)
 */
export class SplitGuard {
  readonly #stable: string;
  readonly #rule: Rollback;
  readonly #clock: { now(): number };
  readonly #counts = new Map<string, Slice[]>();
  readonly #rolledBack = new Set<string>();

  /** @param branches names, the stable one first. */
  constructor(branches: readonly string[], rule: Rollback, clock: { now(): number } = performance) {
    this.#stable = branches[0] ?? '';
    this.#rule = rule;
    this.#clock = clock;
    for (const name of branches) this.#counts.set(name, []);
  }

  /** Notes an outcome; gives the branch when this one was too much. */
  note(branch: string, outcome: BranchOutcome): RolledBack | undefined {
    const counts = this.#counts.get(branch);
    if (counts === undefined) return undefined;
    const slice = this.#slice(counts);
    slice.total++;
    if (outcome === 'failure') slice.failed++;
    if (branch === this.#stable || this.#rolledBack.has(branch)) return undefined;
    const { total: samples, failed } = this.#sum(branch);
    if (samples < this.#rule.minimumSamples) return undefined;
    const stable = this.#sum(this.#stable);
    const stableRatio = stable.total === 0 ? 0 : stable.failed / stable.total;
    const failureRatio = failed / samples;
    if (failureRatio <= stableRatio + this.#rule.marginRatio) return undefined;
    this.#rolledBack.add(branch);
    return { branch, failureRatio, stableRatio, samples };
  }

  #slice(counts: Slice[]): Slice {
    const number = this.#now();
    const last = counts.at(-1);
    if (last?.number === number) return last;
    const slice = { number, total: 0, failed: 0 };
    counts.push(slice);
    while (counts[0] !== undefined && counts[0].number <= number - slices) counts.shift();
    return slice;
  }

  #sum(branch: string): { total: number; failed: number } {
    const oldest = this.#now() - slices;
    const sum = { total: 0, failed: 0 };
    for (const { number, total, failed } of this.#counts.get(branch) ?? []) {
      if (number <= oldest) continue;
      sum.total += total;
      sum.failed += failed;
    }
    return sum;
  }

  #now(): number {
    return Math.floor(this.#clock.now() / (this.#rule.windowMs / slices));
  }
}
