const fail = (name: string, must: string, value: unknown): never => {
  throw new RangeError(`serviceClient: ${name} must be ${must}, got ${String(value)}`);
};

/** A finite number of at least `minimum`; RangeError otherwise. */
export function atLeast(name: string, value: number, minimum: number): number {
  if (!(Number.isFinite(value) && value >= minimum)) fail(name, `a number >= ${minimum}`, value);
  return value;
}

/** An integer of at least `minimum`; RangeError otherwise. */
export function integer(name: string, value: number, minimum: number): number {
  if (!(Number.isSafeInteger(value) && value >= minimum)) fail(name, `an integer >= ${minimum}`, value);
  return value;
}

/** Longest delay that a timer of Node can keep, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/** A duration in milliseconds that fits a timer, 0 = off where the option says so; RangeError otherwise. */
export function durationMs(name: string, value: number): number {
  if (!(value >= 0 && value <= longestTimerMs)) fail(name, `a number from 0 to ${longestTimerMs}`, value);
  return value;
}
