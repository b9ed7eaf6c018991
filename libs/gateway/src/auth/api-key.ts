import { hash, randomBytes } from 'node:crypto';

/** A new API key. Show `key` once; keep `id` and `hash`. */
export interface NewApiKey {
  readonly id: string;
  /** `<prefix>_<id>_<secret>`: what the client sends. */
  readonly key: string;
  /** What is kept in its place. */
  readonly hash: string;
}

const idPattern = /^[a-z0-9-]{1,64}$/;

/**
 * Makes an API key of 256 random bits.
 *
 * @param prefix lets people and secret scanners see whose key it is; lower-case letters and digits. Default `mesh`.
 * @throws RangeError when the prefix or the id is something else.
 * @example const { key, ...record } = createApiKey(); // give `key` to the client, write `record` down
 */
export function createApiKey(prefix = 'mesh', id: string = randomBytes(8).toString('hex')): NewApiKey {
  if (!/^[a-z0-9]{1,16}$/.test(prefix)) {
    throw new RangeError(
      `apiKey: prefix must be 1 to 16 lower-case letters and digits, got ${JSON.stringify(prefix)}`,
    );
  }
  if (!isApiKeyId(id)) {
    throw new RangeError(`apiKey: id must be 1 to 64 of a-z, 0-9 and "-", got ${JSON.stringify(id)}`);
  }
  const key = `${prefix}_${id}_${randomBytes(32).toString('base64url')}`;
  return { id, key, hash: hashApiKey(key) };
}

/**
 * What is kept of an API key: its SHA-256. A slow hash (bcrypt, scrypt, argon2) makes guessing dear where people choose the
 * secret; nobody guesses 256 random bits, and a slow hash for each request would be a way to stop the gateway.
 */
export function hashApiKey(key: string): string {
  return `sha256:${hash('sha256', key)}`;
}

/** The id within a key; undefined when the text has not the form of one. */
export function apiKeyId(key: string): string | undefined {
  const start = key.indexOf('_') + 1;
  const end = key.indexOf('_', start);
  return start > 1 && end > start ? key.slice(start, end) : undefined;
}

/** Whether a text can be the id of a key. */
export function isApiKeyId(id: string): boolean {
  return idPattern.test(id);
}
