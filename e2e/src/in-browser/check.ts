/** What was seen to hold, in order. */
export const seen: string[] = [];

/** @throws when it does not hold. */
export function check(what: string, holds: boolean): void {
  if (!holds) throw new Error(`does not hold: ${what}`);
  seen.push(what);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
