/** A place in the registry's history: which run of the registry, and how many changes into it. */
export interface Position {
  readonly epoch: string;
  readonly revision: number;
}

const pattern = /^([a-z0-9-]{1,64}):(0|[1-9]\d{0,15})$/;

/** `epoch:revision`, as in the ids of events, in `revision` fields and in entity tags. */
export function formatPosition(epoch: string, revision: number): string {
  return `${epoch}:${revision}`;
}

/** Reads `epoch:revision`, undefined when it is anything else. */
export function parsePosition(text: string): Position | undefined {
  const [, epoch, revision] = pattern.exec(text) ?? [];
  return epoch === undefined || revision === undefined ? undefined : { epoch, revision: Number(revision) };
}
