import { z } from 'zod';
import { headerOf } from '../routing/match-request.ts';

const origin = z
  .string()
  .regex(/^[a-z][a-z0-9+.-]*:\/\/[^/\s,*?#]+$/, 'must be scheme://host[:port], without a path');
const fieldName = z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,64}$/, 'must be the name of a header');

/**
 * Pages of which other origins may read the answers of a route (CORS, Fetch standard). It protects users, not the route: who is no
 * browser is not held back by it.
 *
 * @example corsSchema.parse({ origins: ['https://shop.example.com'], credentials: true })
 */
export const corsSchema = z
  .strictObject({
    origins: z
      .union([z.literal('*'), z.array(origin).min(1).max(100)])
      .describe('"*" for any page, or a list of scheme://host[:port].'),
    methods: z
      .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']))
      .min(1)
      .default(['GET', 'HEAD', 'POST'])
      .describe('Methods that a page may use. Default GET, HEAD, POST.'),
    headers: z
      .array(fieldName)
      .max(100)
      .optional()
      .describe('Request headers that a page may set. Default: those that it asks for.'),
    exposed: z
      .array(fieldName)
      .max(100)
      .default([
        'x-instance',
        'x-request-id',
        'x-trace-id',
        'retry-after',
        'ratelimit',
        'ratelimit-policy',
        'etag',
        'location',
      ])
      .describe(
        'Headers of the answer that a page may read. Default: those of the mesh, Retry-After, RateLimit, ETag and Location.',
      ),
    credentials: z.boolean().default(false).describe('Whether cookies and the like go along. Default false.'),
    maxAgeMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(600_000)
      .describe('How long a browser may remember a preflight, in ms. Default 600 000.'),
  })
  .refine(({ origins, credentials }) => !credentials || origins !== '*', {
    path: ['credentials'],
    error: 'credentials need origins that are named',
  });

/** CORS of one route, checked and with its defaults. */
export type CorsRules = z.output<typeof corsSchema>;

/** What a browser asks before a request that a form could not make (Fetch, CORS-preflight). */
export interface Preflight {
  readonly origin: string;
  /** The method of the request that is to follow. */
  readonly method: string;
  /** Names of the fields that the page wants to set; undefined for none. */
  readonly headers: string | undefined;
}

/** Reads a request as a preflight; undefined when it is none, such as any other OPTIONS. */
export function readPreflight(method: string, rawHeaders: readonly string[]): Preflight | undefined {
  if (method !== 'OPTIONS') return undefined;
  const origin = headerOf(rawHeaders, 'origin');
  const wanted = headerOf(rawHeaders, 'access-control-request-method');
  if (origin === undefined || wanted === undefined) return undefined;
  return { origin, method: wanted, headers: headerOf(rawHeaders, 'access-control-request-headers') };
}

/** The header fields with which a route tells browsers what pages may do (Fetch, 3.3: CORS protocol). */
export class RouteCors {
  readonly #rules: CorsRules;
  readonly #exposed: string;

  constructor(rules: CorsRules) {
    this.#rules = rules;
    this.#exposed = rules.exposed.join(', ');
  }

  /** Those of any answer to a page of `origin`, a refusal too: otherwise the page could not read why. */
  fields(origin: string | undefined): Record<string, string> {
    if (!this.#letsIn(origin)) return this.#common(undefined);
    const fields = this.#common(origin);
    if (this.#exposed !== '') fields['access-control-expose-headers'] = this.#exposed;
    return fields;
  }

  /** Those of the answer to a preflight. */
  preflightFields({ origin, headers: asked }: Preflight): Record<string, string> {
    if (!this.#letsIn(origin)) return this.#common(undefined);
    const fields = this.#common(origin);
    const { methods, headers, maxAgeMs } = this.#rules;
    fields['access-control-allow-methods'] = methods.join(', ');
    fields['access-control-max-age'] = String(Math.floor(maxAgeMs / 1_000));
    const allowed = headers?.join(', ') ?? asked;
    if (allowed) fields['access-control-allow-headers'] = allowed;
    return fields;
  }

  #letsIn(origin: string | undefined): boolean {
    const { origins } = this.#rules;
    return origins === '*' || (origin !== undefined && origins.includes(origin));
  }

  /** @param allowed undefined: nobody is. */
  #common(allowed: string | undefined): Record<string, string> {
    const { origins, credentials } = this.#rules;
    if (origins === '*') return { 'access-control-allow-origin': '*' };
    // What depends on who asks must not be given to others by a cache.
    const fields: Record<string, string> = { vary: 'Origin' };
    if (allowed !== undefined) fields['access-control-allow-origin'] = allowed;
    if (allowed !== undefined && credentials) fields['access-control-allow-credentials'] = 'true';
    return fields;
  }
}
