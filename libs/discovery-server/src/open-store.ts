import { fileURLToPath } from 'node:url';
import { DiskStore } from './disk-store.ts';
import { RedisStore } from './redis-store.ts';
import type { RegistryStore, StoreListener } from './registry-store.ts';

/**
 * The store that a URL names: `memory:` is none, `file:///path` keeps a snapshot there, `redis://` and `rediss://` share one
 * Redis with other servers.
 *
 * @throws RangeError for any other URL.
 */
export function openStore(url: string, onTrouble?: StoreListener): RegistryStore | undefined {
  const options = onTrouble === undefined ? {} : { onTrouble };
  switch (URL.parse(url)?.protocol) {
    case 'memory:':
      return undefined;
    case 'file:':
      return new DiskStore(fileURLToPath(url), options);
    case 'redis:':
    case 'rediss:':
      return new RedisStore(url, options);
    default:
      throw new RangeError(`openStore: url must begin with memory:, file:, redis: or rediss:, got ${url}`);
  }
}
