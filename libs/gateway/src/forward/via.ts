/** How often a gateway may meet a request before it is one that goes in a circle. */
const maxPasses = 2;

/** The name of this gateway in `Via`, and what that field tells it (RFC 9110, 7.6.3). */
export class Via {
  readonly #pseudonym: string;
  readonly #element: string;

  /** @throws RangeError when the pseudonym is not a token. */
  constructor(pseudonym: string) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(pseudonym)) {
      throw new RangeError(`gateway: pseudonym must be a token, got ${JSON.stringify(pseudonym)}`);
    }
    this.#pseudonym = pseudonym;
    this.#element = `1.1 ${pseudonym}`;
  }

  /** What is appended for this hop. */
  get element(): string {
    return this.#element;
  }

  /** Whether a request came by here too often. One gateway behind another of the same name is well; a third is a circle. */
  isLoop(via: string | undefined): boolean {
    if (via?.includes(this.#pseudonym) !== true) return false;
    const passes = via.split(',').filter((hop) => hop.trim().split(/\s+/)[1] === this.#pseudonym);
    return passes.length >= maxPasses;
  }
}
