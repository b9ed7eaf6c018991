/// <reference types="node" />
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { maximumSnapshotLength } from '../list-snapshot.ts';
import type { SnapshotStore } from '../list-snapshot.ts';

/** First line of the file: what it is, and the SHA-256 of all that follows. */
const header = /^mesh-discovery-snapshot ([0-9a-f]{64})\n/;

/** UTF-8 needs at most three bytes for what is one character of a text. */
const maximumBytes = maximumSnapshotLength * 3;

/**
 * A snapshot in a file: written beside it, flushed, and renamed, so that it is the old or the new one whatever happens. A file
 * that was cut off, changed or is too large is none. Only its owner can read it.
 */
export function snapshotFile(path: string): SnapshotStore {
  return {
    async read() {
      const found = await stat(path).catch(ifMissing);
      if (found === undefined || found.size > maximumBytes) return undefined;
      const text = await readFile(path, 'utf8').catch(ifMissing);
      const [line, sum] = header.exec(text ?? '') ?? [];
      const body = text?.slice(line?.length ?? 0);
      return line !== undefined && body !== undefined && checksum(body) === sum ? body : undefined;
    },
    async write(body) {
      const beside = `${path}.${process.pid}.tmp`;
      await mkdir(dirname(path), { recursive: true });
      try {
        await writeFlushed(beside, `mesh-discovery-snapshot ${checksum(body)}\n${body}`);
        await rename(beside, path);
      } catch (error) {
        await rm(beside, { force: true }).catch(() => undefined);
        throw error;
      }
    },
  };
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function ifMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
