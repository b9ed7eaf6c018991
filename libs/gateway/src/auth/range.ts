/** Checks a duration or a count. @throws RangeError naming the option and the value. */
export function atLeast(option: string, least: number, value: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${option} must be an integer >= ${least}, got ${value}`);
}
