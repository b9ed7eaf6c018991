import { z } from 'zod';

const durationMs = z.number().int().min(0).max(31_536_000_000);
const names = z.array(z.string().regex(/^[!#$%&'*+.^_`|~\w-]{1,64}$/)).max(16);

/** How the answers of a route are cached, as it stands in a route file. Times are in ms. */
export const cacheSchema = z.strictObject({
  /** How long a 200, 203, 204, 301 or 308 is fresh when the instance says nothing; never for a request with a cookie or credentials. Default 0. */
  ttlMs: durationMs.default(0),
  /** How long after that it is still served at once while a new one is fetched, when the answer does not say it itself. Default 0. */
  staleWhileRevalidateMs: durationMs.default(0),
  /** How long after that it is served when the instances fail, when the answer does not say it itself. Default 24 h. */
  staleIfErrorMs: durationMs.default(86_400_000),
  /** The part of the time since its last change for which an answer without times is fresh (RFC 9111, 4.2.2). Default 0: no guessing. */
  heuristicRatio: z.number().min(0).max(1).default(0),
  /** The only query parameters that instances see, and the key holds; sorted. Default: the query as it came. */
  queryKeys: names.optional(),
  /** Request fields that are always part of the key. Default: none; `Vary` is honoured anyway. */
  keyHeaders: names.default([]),
  /** `identity`: on a route with authentication everyone has answers of their own. `none`: they are shared. Default `identity`. */
  partition: z.enum(['identity', 'none']).default('identity'),
  /** Tags that {@link ResponseCache.purge} knows these answers by, beside those in their `Cache-Tag`. Default: none. */
  tags: names.default([]),
  /** Whether a client's `no-cache`, `max-age` and `Pragma` are overlooked. Default false. */
  ignoreClientRefresh: z.boolean().default(false),
  /** Whether equal requests at one time share one fetch. Default true. */
  coalesce: z.boolean().default(true),
  /** Greatest body that is kept, in bytes. Default 1 MiB. */
  maxEntryBytes: z.number().int().min(1).max(1_073_741_824).default(1_048_576),
});

/** How the answers of a route are cached: what {@link cacheSchema} takes. */
export type CachePolicy = z.input<typeof cacheSchema>;

/** A {@link CachePolicy} with all its defaults. */
export type CacheRules = z.output<typeof cacheSchema>;

/** @throws RangeError naming the option and the value. */
export function readPolicy(policy: CachePolicy): CacheRules {
  const read = cacheSchema.safeParse(policy);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const option = issue?.path[0];
  const value = option === undefined ? policy : (policy as Record<PropertyKey, unknown>)[option];
  throw new RangeError(
    `cache: ${String(option ?? 'policy')} is wrong, got ${JSON.stringify(value)}: ${issue?.message ?? ''}`,
  );
}
