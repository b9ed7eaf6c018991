/** A point in the history of a registry. Positions of different epochs (runs of the registry) have no order. */
export interface Position {
  /** Changes when the registry restarts. */
  readonly epoch: string;
  readonly revision: number;
}

/** Reads `<epoch>:<revision>`; undefined when the text is no such position. */
export function parsePosition(text: unknown): Position | undefined {
  if (typeof text !== 'string') return undefined;
  const colon = text.lastIndexOf(':');
  const digits = text.slice(colon + 1);
  if (colon < 1 || !/^\d{1,15}$/.test(digits)) return undefined;
  return { epoch: text.slice(0, colon), revision: Number(digits) };
}

/** `<epoch>:<revision>`, as the watch's Last-Event-ID. */
export function formatPosition(position: Position): string {
  return `${position.epoch}:${position.revision}`;
}

/** Whether `a` is at or after `b` for certain. */
export function reaches(a: Position | undefined, b: Position | undefined): boolean {
  return a !== undefined && b !== undefined && a.epoch === b.epoch && a.revision >= b.revision;
}

/** The earliest of several; undefined when one is unknown, they are of different epochs, or there is none. */
export function earliest(positions: Iterable<Position | undefined>): Position | undefined {
  let found: Position | undefined;
  for (const position of positions) {
    if (position === undefined || (found !== undefined && found.epoch !== position.epoch)) return undefined;
    if (found === undefined || position.revision < found.revision) found = position;
  }
  return found;
}
