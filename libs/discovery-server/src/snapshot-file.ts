import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { StoredOverride } from './overrides.ts';
import type { StoredInstance } from './stored-instance.ts';
import { TimeSlice } from './time-slice.ts';

/** One line of a snapshot. */
export type SnapshotLine = { readonly instance: StoredInstance } | { readonly override: StoredOverride };

const format = 'mesh-discovery-snapshot';

/** Of what is written; another one is not read. */
const version = 1;

/** Characters that are written at once. */
const chunkLength = 65_536;

/** A snapshot that cannot be read: cut off, changed, or of another version. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
  readonly code = 'ERR_SNAPSHOT';
}

/**
 * A file of JSON lines: a head with the version, the lines, a tail with their number and the CRC-32 of all before it. It is
 * written beside the old one, synced, and renamed over it, so that there is a whole one at any moment.
 */
export class SnapshotFile {
  readonly #path: string;
  readonly #maximumBytes: number;

  constructor(path: string, maximumBytes: number) {
    this.#path = path;
    this.#maximumBytes = maximumBytes;
  }

  /** @throws what the file system throws, and SnapshotError when it would be too large; the old file then stays as it is. */
  async write(lines: Iterable<SnapshotLine>): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    await mkdir(dirname(this.#path), { recursive: true });
    try {
      const file = await open(temporary, 'w', 0o600);
      try {
        await this.#writeLines(file, lines);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(dirname(this.#path));
  }

  /**
   * Reads it, line by line; nothing when there is none.
   *
   * @throws SnapshotError when it is not whole, or what the file system throws.
   */
  async *read(): AsyncGenerator<SnapshotLine> {
    const bytes = await this.#readBytes();
    if (bytes === undefined) return;
    const tailAt = bytes.lastIndexOf(10, bytes.length - 2) + 1;
    const tail = parse(bytes.toString('utf8', tailAt)) as { crc32?: unknown; lines?: unknown } | undefined;
    const checksum = await checksumOf(bytes.subarray(0, tailAt));
    if (tail?.crc32 !== checksum) throw new SnapshotError('its checksum is wrong');
    let at = bytes.indexOf(10) + 1;
    const head = parse(bytes.toString('utf8', 0, at)) as { format?: unknown; version?: unknown } | undefined;
    if (head?.format !== format || head.version !== version) {
      throw new SnapshotError(`its version is ${String(head?.version)}, not ${version}`);
    }
    while (at < tailAt) {
      const end = bytes.indexOf(10, at);
      yield JSON.parse(bytes.toString('utf8', at, end)) as SnapshotLine;
      at = end + 1;
    }
  }

  /** Puts a file that cannot be read aside, so that somebody may look at it. */
  async putAside(): Promise<void> {
    await rename(this.#path, `${this.#path}.unreadable`);
  }

  async #writeLines(
    file: { write(text: string): Promise<unknown> },
    lines: Iterable<SnapshotLine>,
  ): Promise<void> {
    const slice = new TimeSlice();
    let [buffer, checksum, bytes, count] = [`${JSON.stringify({ format, version })}\n`, 0, 0, 0];
    const flush = async (): Promise<void> => {
      checksum = crc32(buffer, checksum);
      bytes += Buffer.byteLength(buffer);
      if (bytes > this.#maximumBytes) throw new SnapshotError(`it exceeds ${this.#maximumBytes} bytes`);
      await file.write(buffer);
      buffer = '';
    };
    for (const line of lines) {
      buffer += `${JSON.stringify(line)}\n`;
      count += 1;
      if (buffer.length >= chunkLength) await flush();
      if (slice.isOver) await slice.pause();
    }
    await flush();
    await file.write(`${JSON.stringify({ lines: count, crc32: checksum })}\n`);
  }

  async #readBytes(): Promise<Buffer | undefined> {
    try {
      const { size } = await stat(this.#path);
      if (size > this.#maximumBytes) throw new SnapshotError(`it exceeds ${this.#maximumBytes} bytes`);
      return await readFile(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}

/** Piece by piece: all of a large file at once would take tens of milliseconds. */
async function checksumOf(bytes: Buffer): Promise<number> {
  const slice = new TimeSlice();
  let checksum = 0;
  for (let from = 0; from < bytes.length; from += 1_048_576) {
    checksum = crc32(bytes.subarray(from, from + 1_048_576), checksum);
    if (slice.isOver) await slice.pause();
  }
  return checksum;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

/** A rename lasts once its folder is synced. Where folders cannot be opened, the file system has its own order. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
