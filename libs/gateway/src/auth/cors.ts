import type { FastifyRequest } from 'fastify';
import { z } from 'zod';

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

/** The part of the options of `@fastify/cors` that is set here. */
export interface CorsOptions {
  readonly origin: false | '*' | string[];
  readonly methods?: string[];
  readonly allowedHeaders?: string[];
  readonly exposedHeaders?: string[];
  readonly credentials?: boolean;
  readonly maxAge?: number;
  readonly preflight?: boolean;
}

type Resolved = (error: Error | null, options?: CorsOptions) => void;

/**
 * The `delegator` of `@fastify/cors` that looks up the rules of the route which a request is for. Preflights are answered by it, before
 * authentication, for a browser sends them without credentials; any other OPTIONS goes to the route.
 *
 * @param rulesOf the rules for a request, a preflight included; undefined for none.
 * @example await app.register(cors, { delegator: routeCors((request) => rulesOfPath(request.url)) });
 */
export function routeCors(
  rulesOf: (request: FastifyRequest) => CorsRules | undefined,
): (request: FastifyRequest, resolved: Resolved) => void {
  return (request, resolved) => {
    const rules = rulesOf(request);
    resolved(null, rules === undefined ? { origin: false } : optionsFor(rules, isPreflight(request)));
  };
}

function optionsFor(rules: CorsRules, preflight: boolean): CorsOptions {
  return {
    origin: rules.origins === '*' ? '*' : [...rules.origins],
    methods: [...rules.methods],
    exposedHeaders: [...rules.exposed],
    credentials: rules.credentials,
    maxAge: Math.floor(rules.maxAgeMs / 1_000),
    preflight,
    ...(rules.headers && { allowedHeaders: [...rules.headers] }),
  };
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}
