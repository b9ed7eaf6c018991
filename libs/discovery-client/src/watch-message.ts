import type { Instance } from './instance.ts';
import { readInstance } from './instance.ts';
import type { Position } from './position.ts';
import { parsePosition } from './position.ts';
import { malformed, parseObject, readInstances } from './registry-answer.ts';

/** What the registry tells its watchers. */
export type WatchMessage =
  | {
      readonly type: 'snapshot';
      readonly position: Position | undefined;
      readonly instances: readonly Instance[];
      /** Set hash of each service, where the registry tells. */
      readonly hashes: Readonly<Record<string, unknown>>;
    }
  | {
      readonly type: 'upsert';
      readonly position: Position | undefined;
      readonly instance: Instance;
      readonly hash: unknown;
    }
  | {
      readonly type: 'remove';
      readonly position: Position | undefined;
      readonly name: string;
      readonly id: string;
      readonly reason: string;
      readonly hash: unknown;
    }
  | { readonly type: 'bookmark'; readonly position: Position | undefined };

/**
 * Reads one server-sent event. Undefined for kinds that are not known (a newer registry). Throws a `DiscoveryError` for a
 * known kind that cannot be read: going on would lose a change.
 */
export function readWatchMessage(event: {
  event?: string | undefined;
  id?: string | undefined;
  data: string;
}): WatchMessage | undefined {
  const position = parsePosition(event.id);
  const data = parseObject(event.data) ?? {};
  switch (event.event) {
    case 'snapshot':
      if (!Array.isArray(data['instances'])) throw malformed('GET /watch');
      return {
        type: 'snapshot',
        position: position ?? parsePosition(`${String(data['epoch'])}:${String(data['revision'])}`),
        instances: readInstances(data['instances']),
        hashes: { ...(data['hashes'] as Record<string, unknown> | undefined) },
      };
    case 'upsert': {
      const instance = readInstance(data['instance']);
      if (instance === undefined) throw malformed('GET /watch');
      return { type: 'upsert', position, instance, hash: data['hash'] };
    }
    case 'remove': {
      const { name, id, reason, hash } = data;
      if (typeof name !== 'string' || typeof id !== 'string') throw malformed('GET /watch');
      return {
        type: 'remove',
        position,
        name,
        id,
        reason: typeof reason === 'string' ? reason : 'deregistered',
        hash,
      };
    }
    case 'bookmark':
      return { type: 'bookmark', position };
    default:
      return undefined;
  }
}
