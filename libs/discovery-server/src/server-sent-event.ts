import { formatHash } from '@mesh/discovery-client';
import type { Change } from './change-log.ts';
import { formatPosition } from './position.ts';
import type { View } from './service-entry.ts';
import { namespaceOf, defaultNamespace } from './service-key.ts';

/** Milliseconds after which a client shall reconnect; sent once at the beginning. */
export const retryMs = 500;

/** First line of every stream. */
export const streamHead = `retry: ${retryMs}\n\n`;

/** One event (WHATWG HTML, 9.2). JSON holds no line breaks, so the data is one line. */
export function encodeEvent(event: string, data: unknown, id?: string): string {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return `${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * A change as a view shows it: `upsert` or `remove`, and nothing (undefined) where the view sees no difference. What is
 * not up leaves the plain view, for the reason that it is not up.
 */
export function encodeChange(epoch: string, change: Change, view: View): string | undefined {
  const { name, service, wasListed } = change;
  const hash = formatHash(change.hashes[view]);
  const id = formatPosition(epoch, change.revision);
  if (change.type === 'upsert' && (view === 'any' || change.instance.status === 'up')) {
    return encodeEvent('upsert', { instance: change.instance, hash }, id);
  }
  if (view === 'listed' && !wasListed) return undefined;
  const namespace = namespaceOf(service);
  const [instanceId, reason] =
    change.type === 'remove' ? [change.id, change.reason] : [change.instance.id, change.instance.status];
  const scope = namespace === defaultNamespace ? undefined : namespace;
  return encodeEvent('remove', { name, namespace: scope, id: instanceId, reason, hash }, id);
}

/** Nothing more up to here: moves the position of watchers that were not concerned, and proves that the stream lives. */
export function encodeBookmark(revision: string): string {
  return encodeEvent('bookmark', { revision }, revision);
}

/** The position that was given cannot be resumed: forget everything, a snapshot follows. */
export function encodeReset(reason: 'epoch' | 'gap'): string {
  return encodeEvent('reset', { reason });
}
