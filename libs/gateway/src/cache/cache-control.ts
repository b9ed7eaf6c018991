/** One element of the list (RFC 9110, 5.6.1): a token, perhaps with a token or a quoted string as its value; it may be empty. */
const element =
  /[ \t]*(?:([!#$%&'*+.^_`|~\w-]+)(?:=(?:([!#$%&'*+.^_`|~\w-]+)|("(?:[^"\\]|\\[\t\x20-\x7e\x80-\xff])*")))?)?[ \t]*(?:,|$)/y;

/** Directives whose value is a number of seconds. */
const counted: ReadonlySet<string> = new Set([
  'max-age',
  's-maxage',
  'stale-while-revalidate',
  'stale-if-error',
  'min-fresh',
  'max-stale',
]);

/** RFC 9111, 1.2.2: what is greater counts as this. */
const maxSeconds = 2 ** 31;

/**
 * What Cache-Control fields say (RFC 9111, 5.2). Strict, because every leniency here has shared somebody's private answer in some cache: a list that
 * breaks the grammar, a number that is none, a number given twice make the whole malformed, and what is malformed must not be shared.
 */
export class CacheControl {
  readonly isMalformed: boolean;
  readonly #directives = new Map<string, string | undefined>();

  /** @param fields every Cache-Control field of the message, in order. */
  constructor(fields: readonly string[]) {
    this.isMalformed = !fields.every((field) => this.#read(field));
  }

  has(name: string): boolean {
    return this.#directives.has(name);
  }

  /** Whether it is there with a value where it could do without one: `private="x-user"`. */
  isQualified(name: string): boolean {
    return this.#directives.get(name) !== undefined;
  }

  /** A number of seconds, undefined when it is not there or (`max-stale`) has no value. */
  seconds(name: string): number | undefined {
    const value = this.#directives.get(name);
    return value === undefined ? undefined : Math.min(Number(value), maxSeconds);
  }

  #read(field: string): boolean {
    for (element.lastIndex = 0; element.lastIndex < field.length;) {
      const found = element.exec(field);
      if (found === null) return false;
      const name = found[1]?.toLowerCase();
      if (name !== undefined && !this.#keep(name, found[2] ?? found[3])) return false;
    }
    return true;
  }

  #keep(name: string, value: string | undefined): boolean {
    if (counted.has(name)) {
      const isBare = value === undefined && name === 'max-stale';
      if (this.#directives.has(name) || !(isBare || /^\d+$/.test(value ?? ''))) return false;
      this.#directives.set(name, value);
    } else if (value !== undefined || !this.#directives.has(name)) {
      this.#directives.set(name, value);
    }
    return true;
  }
}
