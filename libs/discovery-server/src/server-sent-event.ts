import type { Instance } from '@mesh/discovery-client';
import type { Change } from './change-log.ts';
import { formatPosition } from './position.ts';

/** Milliseconds after which a client shall reconnect; sent once at the beginning. */
export const retryMs = 500;

/** First line of every stream. */
export const streamHead = `retry: ${retryMs}\n\n`;

/** One event (WHATWG HTML, 9.2). JSON holds no line breaks, so the data is one line. */
function encodeEvent(id: string, event: string, data: unknown): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** `upsert` or `remove`. */
export function encodeChange(epoch: string, change: Change): string {
  const id = formatPosition(epoch, change.revision);
  if (change.type === 'upsert') return encodeEvent(id, 'upsert', { instance: change.instance });
  const { name, id: instanceId, reason } = change;
  return encodeEvent(id, 'remove', { name, id: instanceId, reason });
}

/** Everything there is, as of a position. */
export function encodeSnapshot(epoch: string, revision: string, instances: readonly Instance[]): string {
  return encodeEvent(revision, 'snapshot', { epoch, revision, instances });
}

/** Nothing more up to here: moves the position of watchers that were not concerned, and proves that the stream lives. */
export function encodeBookmark(revision: string): string {
  return encodeEvent(revision, 'bookmark', { revision });
}
