import { hash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Identity } from '../passage.ts';
import { apiKeyId, isApiKeyId } from './api-key.ts';

/** API keys as a file holds them: hashed, so that who reads the file can call nobody. */
export const apiKeysSchema = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        id: z
          .string()
          .refine(isApiKeyId, '1 to 64 of a-z, 0-9 and "-"')
          .describe('The part of the key between its two first "_".'),
        hash: z
          .string()
          .regex(/^sha256:[0-9a-f]{64}$/, 'must be what hashApiKey() gives')
          .describe('What hashApiKey() gives.'),
        subject: z.string().min(1).max(256).optional().describe('Who calls with it. Default: the id.'),
        scopes: z
          .array(z.string().regex(/^[\x21-\x7e]{1,128}$/))
          .max(256)
          .default([])
          .describe('What it opens.'),
        expiresAt: z.iso
          .datetime({ offset: true })
          .optional()
          .describe('When it ends (ISO 8601). Default: never.'),
        enabled: z.boolean().default(true).describe('false: it opens nothing for now.'),
      }),
    )
    .max(100_000),
});

/** One API key as it is kept. */
export type ApiKeyRecord = z.input<typeof apiKeysSchema>['keys'][number];

interface Entry {
  readonly digest: Buffer;
  readonly untilMs: number;
  readonly identity: Identity;
}

const nobody = Buffer.alloc(32);
/** The digest that is being looked at; one is enough, for nothing waits in between. */
const shown = Buffer.alloc(32);
const maxKeyLength = 256;

/**
 * The API keys that open routes. Make one and give it to all routes.
 *
 * @throws ZodError when a record is not well formed, RangeError when an id is there twice.
 * @example const apiKeys = new ApiKeys(await readApiKeys('keys.json'));
 */
export class ApiKeys {
  readonly #clock: { now(): number };
  #entries: ReadonlyMap<string, Entry>;

  /** @param clock wall clock in ms since 1970. Default `Date`. */
  constructor(records: readonly ApiKeyRecord[], clock: { now(): number } = Date) {
    this.#clock = clock;
    this.#entries = readEntries(records);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Other keys from now on, all at once; when one is not well formed, the old ones stay. @throws as the constructor does. */
  replace(records: readonly ApiKeyRecord[]): void {
    this.#entries = readEntries(records);
  }

  /** Who shows this key. The time that it takes does not depend on how much of the key is right. */
  check(key: string): Identity | 'invalid' {
    if (key.length > maxKeyLength) return 'invalid';
    const entry = this.#entries.get(apiKeyId(key) ?? '');
    shown.write(hash('sha256', key), 'hex');
    const isRight = timingSafeEqual(shown, entry?.digest ?? nobody);
    if (entry === undefined || !isRight || this.#clock.now() >= entry.untilMs) return 'invalid';
    return entry.identity;
  }
}

/** Reads the API keys of a JSON file: `{ "keys": [{ "id", "hash", "scopes", ... }] }`. @throws when it cannot be read or is not well formed. */
export async function readApiKeys(file: string | URL): Promise<ApiKeyRecord[]> {
  return apiKeysSchema.parse(JSON.parse(await readFile(file, 'utf8'))).keys;
}

function readEntries(records: readonly ApiKeyRecord[]): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const { id, hash: digest, subject = id, scopes, expiresAt, enabled } of apiKeysSchema.parse({
    keys: records,
  }).keys) {
    if (entries.has(id)) throw new RangeError(`apiKeys: id ${id} is there twice`);
    entries.set(id, {
      digest: Buffer.from(digest.slice('sha256:'.length), 'hex'),
      untilMs: !enabled ? -Infinity : expiresAt === undefined ? Infinity : Date.parse(expiresAt),
      identity: Object.freeze({
        subject,
        scopes: Object.freeze(scopes),
        by: 'api-key',
        claims: Object.freeze({}),
      }),
    });
  }
  return entries;
}
