/** The number, when it is in range. @throws RangeError naming the option. */
export function numberIn(option: string, value: number, least: number, most = Infinity): number {
  if (value >= least && value <= most) return value;
  const range = most === Infinity ? `at least ${least}` : `from ${least} to ${most}`;
  throw new RangeError(`loadBalancer: ${option} must be a number ${range}, got ${value}`);
}
