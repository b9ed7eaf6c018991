import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';

/** What {@link followRoutesFile} takes. */
export interface FollowOptions {
  /** Called with a text that is new. What it throws goes to `onError`. */
  readonly onText: (text: string, file: string) => void;
  /** Called when the file cannot be read or watched, and when `onText` throws; the next change is followed all the same. */
  readonly onError: (error: Error) => void;
  /** What has been read already and is no news. Default: nothing. */
  readonly known?: string;
  /** Quiet time after a change before the file is read, in ms: editors write in several steps. Default 100. */
  readonly debounceMs?: number;
}

/** A file that is followed. */
export interface FollowedFile {
  /** Reads the file now, as on a signal. Resolves when `onText` or `onError` was called, or nothing is new. */
  reload(): Promise<void>;
  /** Stops; nothing is called any more. */
  close(): void;
}

/**
 * Follows a file: reads it at once, and again after every change. Its folder is watched, because editors and deployments put a new file
 * (or a new link) in the place of the old one. Keeps no process alive.
 *
 * @throws Error when the folder is not there; RangeError when an option is out of range.
 * @example const followed = followRoutesFile('routes.yaml', { onText: (text, file) => gateway.update(text, { file }), onError: (error) => log.error(error) });
 */
export function followRoutesFile(path: string, options: FollowOptions): FollowedFile {
  return new Follower(path, options);
}

class Follower implements FollowedFile {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #debounceMs: number;
  readonly #watcher: FSWatcher;
  #timer: NodeJS.Timeout | undefined;
  #text: string | undefined;
  #reading: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(path: string, options: FollowOptions) {
    const { debounceMs = 100 } = options;
    if (!(debounceMs >= 0 && debounceMs <= 60_000)) {
      throw new RangeError(`followRoutesFile: debounceMs must be from 0 to 60000, got ${debounceMs}`);
    }
    this.#path = resolve(path);
    this.#options = options;
    this.#text = options.known;
    this.#debounceMs = debounceMs;
    this.#watcher = watch(dirname(this.#path), { persistent: false }, (_event, name) => {
      // Some systems do not tell the name, and a link may lead through another one of the folder.
      if (name === null || name === basename(this.#path) || name.startsWith('..')) this.#later();
    });
    this.#watcher.on('error', (error) => {
      options.onError(error);
    });
    void this.reload();
  }

  reload(): Promise<void> {
    // One after the other, so that the text that was read last is the one that counts.
    this.#reading = this.#reading.then(() => this.#read());
    return this.#reading;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#watcher.close();
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.reload(), this.#debounceMs).unref();
  }

  async #read(): Promise<void> {
    const { onText, onError } = this.#options;
    try {
      const text = await readFile(this.#path, 'utf8');
      // An empty file is one that is being written: what it will say comes with the next change.
      if (this.#isClosed || text === this.#text || text === '') return;
      this.#text = text;
      onText(text, this.#path);
    } catch (error) {
      if (!this.#isClosed) onError(error as Error);
    }
  }
}
