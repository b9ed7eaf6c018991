const fault = (option: string, rule: string, value: unknown): RangeError =>
  new RangeError(`healthMonitor: ${option} must be ${rule}, got ${String(value)}`);

/** @throws RangeError naming the option and its value. */
export function count(option: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw fault(option, `an integer >= ${least}`, value);
}

/** @throws RangeError naming the option and its value. */
export function duration(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw fault(option, 'a number > 0 (milliseconds)', value);
}

/** A duration that may be nothing. @throws RangeError naming the option and its value. */
export function delay(option: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw fault(option, 'a number >= 0 (milliseconds)', value);
}

/** @throws RangeError naming the option and its value. */
export function ratio(option: string, value: number): number {
  if (value >= 0 && value <= 1) return value;
  throw fault(option, 'a ratio from 0 to 1', value);
}

/** @throws RangeError naming the option and its value. */
export function finite(option: string, value: number): number {
  if (Number.isFinite(value)) return value;
  throw fault(option, 'a finite number', value);
}

/** @throws RangeError naming the option and its value. */
export function text(option: string, value: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= 500) return value;
  throw fault(option, 'a text of 1 to 500 characters', value);
}
