import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type CryptoKey,
  type FetchImplementation,
  type FlattenedJWSInput,
  type JWTHeaderParameters,
} from 'jose';
import { wholeNumber } from '../range.ts';

/** How a key set at a URL is kept. */
export interface RemoteKeysOptions {
  /** After so long in ms the set is fetched again in the background; meanwhile the known keys serve. Default 600 000. */
  readonly refreshMs?: number;
  /** Shortest time in ms between two fetches, whatever tokens ask for and whether they succeed or fail. Default 30 000. */
  readonly cooldownMs?: number;
  /** Longest wait for the set in ms. Default 5 000. */
  readonly timeoutMs?: number;
  /** Most bytes of the set. Default 262 144. */
  readonly maxBytes?: number;
  /** Default: the global `fetch`, which then needs `https:` or a loopback address. */
  readonly fetch?: (url: string, init: Parameters<FetchImplementation>[1]) => Promise<Response>;
  /** Told when a fetch failed. What it throws is dropped. Default: nobody is. */
  readonly onError?: (error: unknown) => void;
}

/** No keys are known and none can be had. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/**
 * The key set at a URL: `createRemoteJWKSet` of jose, which finds the key for a token and shares one fetch among all who wait, with a bound on
 * size and on how often is fetched. Once known, keys stay in use while the URL cannot be read.
 */
export class RemoteKeys {
  readonly #remote: ReturnType<typeof createRemoteJWKSet>;
  readonly #options: Required<Omit<RemoteKeysOptions, 'onError'>>;
  readonly #clock: { now(): number };
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  #nextFetchAt = -Infinity;
  #fetchedAt = -Infinity;
  #hasFetched = false;
  #known = '';

  /** @throws RangeError */
  constructor(url: string | URL, options: RemoteKeysOptions, clock: { now(): number }, onChange: () => void) {
    this.#clock = clock;
    this.#options = {
      refreshMs: wholeNumber('jwt: refreshMs', options.refreshMs ?? 600_000, 1),
      cooldownMs: wholeNumber('jwt: cooldownMs', options.cooldownMs ?? 30_000, 1),
      timeoutMs: wholeNumber('jwt: timeoutMs', options.timeoutMs ?? 5_000, 1),
      maxBytes: wholeNumber('jwt: maxBytes', options.maxBytes ?? 262_144, 1),
      fetch: options.fetch ?? ((target, init) => fetch(target, init)),
    };
    this.#onChange = onChange;
    this.#onError = options.onError ?? (() => undefined);
    this.#remote = createRemoteJWKSet(readUrl(url, options.fetch === undefined), {
      // When to fetch is decided here (#load), by one clock and for failures too.
      cacheMaxAge: Infinity,
      cooldownDuration: 0,
      timeoutDuration: this.#options.timeoutMs,
      [customFetch]: (target, init) => this.#load(target, init),
    });
  }

  /** The key for a token. @throws KeysUnavailable, or an error of jose when no key fits. */
  async find(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    this.#refreshIfOld();
    try {
      return await this.#remote(header, token);
    } catch (error) {
      this.#noticeChange();
      if (this.#known === '') throw new KeysUnavailable('the key set cannot be read', { cause: error });
      if (error instanceof errors.JOSEError) throw error;
      // The key may be a new one, or made up: with the keys that are known the token cannot be verified.
      throw new errors.JWKSNoMatchingKey();
    } finally {
      this.#noticeChange();
    }
  }

  #refreshIfOld(): void {
    const now = this.#clock.now();
    if (this.#fetchedAt === -Infinity || now < this.#fetchedAt + this.#options.refreshMs) return;
    if (now < this.#nextFetchAt) return;
    // A failure was told already.
    void this.#remote.reload().then(
      () => {
        this.#noticeChange();
      },
      () => undefined,
    );
  }

  async #load(url: string, init: Parameters<FetchImplementation>[1]): Promise<Response> {
    const { cooldownMs, maxBytes } = this.#options;
    const now = this.#clock.now();
    if (now < this.#nextFetchAt) throw new Error('the key set was fetched a moment ago');
    this.#nextFetchAt = now + cooldownMs;
    try {
      const response = await this.#options.fetch(url, init);
      if (response.status !== 200) throw new Error(`the key set was answered with ${response.status}`);
      const text = await readText(response, maxBytes);
      const { keys } = JSON.parse(text) as { keys?: unknown };
      if (!Array.isArray(keys)) throw new Error('the answer is not a key set');
      this.#fetchedAt = now;
      this.#hasFetched = true;
      return new Response(text);
    } catch (error) {
      this.#tell(error);
      throw error;
    }
  }

  #noticeChange(): void {
    if (!this.#hasFetched) return;
    this.#hasFetched = false;
    const set = this.#remote.jwks();
    const known = set === undefined ? '' : JSON.stringify(set);
    const before = this.#known;
    this.#known = known;
    // Before the first set nothing was verified.
    if (before !== '' && before !== known) this.#onChange();
  }

  #tell(error: unknown): void {
    try {
      this.#onError(error);
    } catch {
      // Its trouble, not that of the request.
    }
  }
}

function readUrl(source: string | URL, isOwnFetch: boolean): URL {
  const url = URL.parse(source);
  const isLoopback = url !== null && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  const isFine = url?.protocol === 'https:' || (url?.protocol === 'http:' && (isLoopback || !isOwnFetch));
  if (url !== null && isFine) return url;
  throw new RangeError(
    `jwt: jwksUrl must be an https URL (http on loopback or with a fetch of your own), got ${String(source)}`,
  );
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early cancels the body.
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).length;
    if (size > maxBytes) throw new Error(`the key set has more than ${maxBytes} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}
