/** A whole number from `least` (default 0) on. @throws RangeError naming the option and the value. */
export function wholeNumber(option: string, value: number, least = 0): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${option} must be an integer >= ${least}, got ${value}`);
}

/** A number in a range, both ends included. @throws RangeError naming the option and the value. */
export function between(option: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new RangeError(`${option} must be a number from ${least} to ${most}, got ${value}`);
}
