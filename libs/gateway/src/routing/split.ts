import { createHash } from 'node:crypto';
import { branchName } from './branch-name.ts';
import { cookiesOf, headerOf } from './match-request.ts';
import type { Branch, Sticky } from './route-schema.ts';

/** What a client is known by when its branch is chosen. */
export interface SplitRequest {
  readonly rawHeaders: readonly string[];
  /** Read only where a rule asks for it. */
  readonly clientAddress: string;
}

/** A branch as it takes part. */
export interface SplitBranch {
  readonly name: string;
  readonly branch: Branch;
}

/**
 * Divides the requests of a route among its branches by weight. A sticky client (the first of cookie, header and address that the rule
 * names and the request has) always gets the same branch, at every gateway and after a restart: its place in 0..1 is a hash, and the
 * branches lie there side by side in the order in which they are written. So when the last one grows, nobody leaves it.
 *
 * A branch may be turned off; its clients, and no others, are divided anew among the rest.
 */
export class Split {
  readonly branches: readonly SplitBranch[];
  readonly #sticky: Sticky | undefined;
  readonly #random: () => number;
  readonly #off = new Set<string>();

  /** @param random 0 <= x < 1; for requests that nothing is known of. Default `Math.random`. */
  constructor(branches: readonly Branch[], sticky?: Sticky, random: () => number = Math.random) {
    this.branches = branches.map((branch) => ({ name: branchName(branch), branch }));
    this.#sticky = sticky;
    this.#random = random;
  }

  /** The branch for a request. When all are off, all count as on: an answer that may fail beats none. */
  choose(request: SplitRequest): SplitBranch {
    const key = this.#sticky && stickyKey(this.#sticky, request);
    const chosen = draw(this.branches, key === undefined ? this.#random() : placeOf(key));
    if (!this.#off.has(chosen.name)) return chosen;
    const rest = this.branches.filter(({ name, branch }) => branch.weight > 0 && !this.#off.has(name));
    if (rest.length === 0) return chosen;
    // Another place than before, or all of them would fall on the same one of the rest.
    return draw(rest, key === undefined ? this.#random() : placeOf(`again ${key}`));
  }

  /** Gives a branch nothing more. A name that is not there changes nothing. */
  turnOff(name: string): void {
    this.#off.add(name);
  }

  /** Names of the branches that were turned off. */
  get turnedOff(): readonly string[] {
    return [...this.#off];
  }
}

/** What a client is known by; undefined when the request has none of it. */
export function stickyKey(
  { cookie, header, address, seed = '' }: Sticky,
  request: SplitRequest,
): string | undefined {
  const value =
    (cookie === undefined ? undefined : cookiesOf(request.rawHeaders, cookie)[0]) ??
    (header === undefined ? undefined : headerOf(request.rawHeaders, header)) ??
    (address === true ? request.clientAddress : undefined);
  return value === undefined ? undefined : `${seed}\n${value}`;
}

/** A text's place in 0 <= x < 1: the first 32 bits of its SHA-256. */
export function placeOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32;
}

function draw(branches: readonly SplitBranch[], place: number): SplitBranch {
  const total = branches.reduce((sum, { branch }) => sum + branch.weight, 0);
  let left = place * total;
  let last: SplitBranch | undefined;
  for (const one of branches) {
    if (one.branch.weight === 0) continue;
    left -= one.branch.weight;
    last = one;
    if (left < 0) return one;
  }
  // Rounding may leave nothing at the very end; the reader has refused weights that sum to 0.
  return last ?? ({ name: 'default', branch: { weight: 1 } } satisfies SplitBranch);
}
