/** @throws RangeError naming the option and its value. */
export function count(option: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`circuitBreaker: ${option} must be an integer >= ${least}, got ${String(value)}`);
}

/** @throws RangeError naming the option and its value. */
export function duration(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`circuitBreaker: ${option} must be a number > 0 (milliseconds), got ${String(value)}`);
}

/** @throws RangeError naming the option and its value. */
export function ratio(option: string, value: number): number {
  if (value > 0 && value <= 1) return value;
  throw new RangeError(`circuitBreaker: ${option} must be a ratio > 0 and <= 1, got ${String(value)}`);
}
