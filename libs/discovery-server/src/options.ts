/** @throws RangeError naming the owner, the option and the value unless it is an integer in that range. */
export function integerOption(option: string, value: number, minimum: number, maximum: number): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw new RangeError(`${option} must be an integer from ${minimum} to ${maximum}, got ${String(value)}`);
}
