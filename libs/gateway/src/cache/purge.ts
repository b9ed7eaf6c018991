import { readTarget } from '../routing/request-target.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** What to forget: one path (with its query, or with all), all paths that begin so, all with a tag, or everything. */
export type PurgeTarget =
  | { readonly path: string; readonly host?: string }
  | { readonly prefix: string; readonly host?: string }
  | { readonly tag: string }
  | 'all';

/** Whether a key is meant; of an answer that is still coming the variants are not known, and then a tag means it too. */
export type PurgeTest = (key: string, variants: readonly StoredAnswer[] | undefined) => boolean;

/** @throws RangeError for a path that does not start with "/". */
export function purgeTest(target: PurgeTarget): PurgeTest {
  if (target === 'all') return () => true;
  if ('tag' in target) {
    return (_key, variants) => variants?.some(({ tags }) => tags.has(target.tag)) ?? true;
  }
  const text = 'path' in target ? target.path : target.prefix;
  if (!text.startsWith('/')) throw new RangeError(`cache: a path to purge must start with "/", got ${text}`);
  const { normalised, query } = readTarget(text);
  const host = target.host?.toLowerCase();
  const isMeant = (path: string): boolean =>
    'path' in target ? path === normalised : path.startsWith(normalised);
  return (key) => {
    const [ofHost, path = '', ofQuery] = key.split('\n', 3);
    return (host === undefined || ofHost === host) && isMeant(path) && (query === '' || ofQuery === query);
  };
}
