/** Option checks: each answers the value, or throws the RangeError that names `policy: option`. */
export function integer(option: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw outOfRange(option, `an integer >= ${least}`, value);
}

export function positive(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw outOfRange(option, 'a number > 0', value);
}

/** `Infinity` is allowed where nothing bounded would be kept waiting by it. */
export function atLeastZero(option: string, value: number, most = Number.MAX_VALUE): number {
  if (value >= 0 && value <= most) return value;
  throw outOfRange(option, most === Infinity ? 'a number >= 0' : 'a finite number >= 0', value);
}

export function between(option: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw outOfRange(option, `a number from ${least} to ${most}`, value);
}

export function outOfRange(option: string, expected: string, value: unknown): RangeError {
  return new RangeError(`${option} must be ${expected}, got ${String(value)}`);
}
