import { Maglev } from './maglev.ts';
import { numberIn } from './options.ts';
import type { Candidate, Picker, PickRequest, Policy, PolicyTools, Tracker } from './policy.ts';
import { Rendezvous } from './rendezvous.ts';

/** What {@link boundedLoadPolicy} takes. */
export interface BoundedLoadOptions {
  /** How much more than its fair part of the open leases a candidate may have; default 1.25 (25 % more). */
  readonly loadRatio?: number;
}

/**
 * Consistent hashing in which nobody is asked for more than its bound (Mirrokni, Thorup, Zadimoghaddam 2016): a key goes to
 * its Maglev slot, and while that one has `max(1, ceil(ceil((open + 1) * loadRatio) * share))` leases to the next in an order
 * of the key's own. When all that are accepted are at their bound, to the least loaded of them.
 *
 * @throws RangeError when the ratio makes no sense.
 */
export function boundedLoadPolicy(_: PolicyTools, { loadRatio = 1.25 }: BoundedLoadOptions = {}): Policy {
  numberIn('loadRatio', loadRatio, 1, 100);
  const open = { leases: 0 };
  const opened = () => {
    open.leases++;
  };
  const ended = () => {
    open.leases--;
  };
  return {
    track: (): Tracker => ({ opened, ended }),
    build: (candidates) => new BoundedPicker(candidates, open, loadRatio),
  };
}

class BoundedPicker<C extends Candidate> implements Picker<C> {
  readonly #candidates: readonly C[];
  readonly #maglev: Maglev<C>;
  readonly #rendezvous: Rendezvous<C>;
  readonly #open: { readonly leases: number };
  readonly #loadRatio: number;
  readonly #weight: number;
  #slots = 0;
  #request: PickRequest<C> | undefined;

  constructor(candidates: readonly C[], open: { readonly leases: number }, loadRatio: number) {
    this.#candidates = candidates;
    this.#maglev = new Maglev(candidates);
    this.#rendezvous = new Rendezvous(candidates);
    this.#open = open;
    this.#loadRatio = loadRatio;
    this.#weight = candidates.reduce((sum, { weight }) => sum + weight, 0);
  }

  pick(request: PickRequest<C>): C | undefined {
    this.#slots = Math.ceil((this.#open.leases + 1) * this.#loadRatio);
    this.#request = request;
    return this.#maglev.pick(this) ?? this.#leastLoaded(request);
  }

  get hash(): number {
    return this.#request?.hash ?? 0;
  }

  accepts(candidate: C): boolean {
    return candidate.inflight < this.#boundOf(candidate) && this.#request?.accepts(candidate) === true;
  }

  #boundOf({ weight }: C): number {
    return this.#weight > 0
      ? Math.max(Math.sign(weight), Math.ceil((this.#slots * weight) / this.#weight))
      : Infinity;
  }

  /** Of several that are loaded least the one that the key likes best. */
  #leastLoaded(request: PickRequest<C>): C | undefined {
    const { hash } = request;
    let least = Infinity;
    for (const candidate of this.#candidates)
      if (candidate.pressure < least && request.accepts(candidate)) least = candidate.pressure;
    const accepts = (candidate: C) => candidate.pressure <= least && request.accepts(candidate);
    return this.#rendezvous.pick({ accepts, hash });
  }
}
