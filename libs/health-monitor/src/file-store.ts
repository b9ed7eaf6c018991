import type { AlertStore } from './alert-store.ts';
import { codeOf, nodeModule } from './node-api.ts';

/**
 * Keeps alerts in a file, as JSON. It is written beside, flushed to the disk and put in its place, so that a crash leaves the old one or the new one.
 * One monitor for one file; the folder exists.
 */
export function fileStore(path: string): AlertStore {
  const files = nodeModule('node:fs/promises');
  const beside = `${path}.new`;
  return {
    async load() {
      try {
        return JSON.parse(await files.readFile(path, 'utf8')) as unknown;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
    async save(alerts) {
      const file = await files.open(beside, 'w');
      try {
        await file.writeFile(JSON.stringify(alerts));
        await file.sync();
      } finally {
        await file.close();
      }
      await files.rename(beside, path);
    },
  };
}
