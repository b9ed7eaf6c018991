import { z } from 'zod';
import { isHopByHop } from '../forward/hop-headers.ts';
import { isPath, isPrefix, pathForm, prefixForm } from './path-pattern.ts';
import { policySchemas, prioritySchema } from './policy-schemas.ts';
import { isServiceName } from './service-name.ts';

const dayMs = 86_400_000;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]{0,8192}$/;
const hostName = /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$|^\[[0-9a-f:.]+\]$/;

/** Methods that a route may be limited to: those that the gateway takes. */
export const routeMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const whole = (min: number, max: number, unit = '') => {
  const error = `must be a whole number${unit} from ${min} to ${max}`;
  return z.number({ error }).refine((n) => Number.isSafeInteger(n) && n >= min && n <= max, error);
};
const durationMs = whole(0, dayMs, ' of milliseconds');
const text = z.string({ error: 'must be a text' });
const fieldName = text.regex(token, 'must be the name of a header').toLowerCase();
const ruledName = fieldName.refine(
  (name) => !isHopByHop(name) && name !== 'content-length' && name !== 'host',
  'belongs to one connection: no rule may touch it',
);
const value = text.regex(fieldValue, 'holds characters that a header may not have, or too many');
const onlyOne = (keys: readonly string[]) => ({
  error: `must have exactly one of ${keys.join(', ')}`,
  test: (object: object) => keys.filter((key) => key in object).length === 1,
});

interface ConditionShape {
  readonly exact?: string | undefined;
  readonly prefix?: string | undefined;
  readonly present?: boolean | undefined;
}

/** How one value is looked at: it is this (`exact`, or the text alone), begins so (`prefix`), is there at all (`present`). */
const kinds = onlyOne(['exact', 'prefix', 'present']);
const condition = z.union(
  [
    z.string().transform((exact): ConditionShape => ({ exact })),
    z
      .strictObject({
        exact: z.string().optional(),
        prefix: z.string().min(1).optional(),
        present: z.boolean().optional(),
      })
      .refine(kinds.test, kinds.error),
  ],
  'must be a text, or an object with exactly one of exact, prefix (not empty), present (true or false)',
);
const service = text.refine(isServiceName, 'must be the name of a service: a-z, 0-9 and -, at most 63');

const pathKinds = onlyOne(['prefix', 'path']);
const match = z
  .strictObject({
    /** `/shop`: this path and what is below it; `/` is everything. */
    prefix: text.refine(isPrefix, prefixForm).optional(),
    /** `/orders/:id`: this path and no other. */
    path: text.refine(isPath, pathForm).optional(),
    /** Name in `Host`, without its port; `*.shop.example` is every name below. */
    host: text.toLowerCase().regex(hostName, 'must be a host, or "*." and a host').optional(),
    methods: z
      .array(z.enum(routeMethods, `must be one of ${routeMethods.join(', ')}`))
      .min(1)
      .optional(),
    headers: z.record(fieldName, condition).optional(),
    query: z.record(z.string(), condition).optional(),
    cookie: z.record(text.regex(token, 'must be the name of a cookie'), condition).optional(),
  })
  .refine(pathKinds.test, pathKinds.error);

const fields = z.record(ruledName, z.union([value, z.array(value)], 'must be a text, or a list of texts'));
const headerRules = z.strictObject({
  /** Takes the place of what is there. */
  set: fields.optional(),
  /** Comes beside what is there. */
  add: fields.optional(),
  remove: z.array(ruledName).optional(),
});

const branch = z.strictObject({
  /** Name in `explain` and events. Default: the version of `where`, else the service. */
  name: text.regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 of letters, digits, "_", "." and "-"').optional(),
  /** Share of the requests, in relation to the other weights; 0 takes it out. */
  weight: z.number({ error: 'must be a number from 0 to 1000000' }).min(0).max(1_000_000),
  /** Default: the service of the route. */
  service: service.optional(),
  /** Only instances whose metadata (or `version`) has these values. */
  where: z.record(z.string(), text).optional(),
});

const sticky = z
  .strictObject({
    cookie: text.regex(token, 'must be the name of a cookie').optional(),
    header: fieldName.optional(),
    address: z.literal(true, 'must be true').optional(),
    /** Routes with the same seed put the same client on the same side. Default: all do. */
    seed: text.optional(),
  })
  .refine(
    ({ cookie, header, address }) => (cookie ?? header ?? address) !== undefined,
    'must have cookie, header or address',
  );

const guard = z.strictObject({
  /** How much more may fail than at the first branch, 0..1. */
  marginRatio: z.number({ error: 'must be from 0 to 1' }).min(0).max(1).default(0.1),
  /** Answers of a branch before it is judged. */
  minimumSamples: whole(1, 1_000_000).default(50),
  /** Span that is looked at. */
  windowMs: durationMs.refine((ms) => ms >= 1_000, 'must be at least 1000').default(60_000),
});

const off = z.literal(false);

/** What a route does to the requests that it takes; `false` turns off what `defaults` turned on. */
const settings = {
  /** 504 after `attemptMs` without a head, after `totalMs` in all, and cut off after `idleMs` without a byte; 0: no limit. */
  timeouts: z
    .strictObject({
      attemptMs: durationMs.optional(),
      totalMs: durationMs.optional(),
      idleMs: durationMs.optional(),
    })
    .optional(),
  retry: z
    .union([
      off,
      z.strictObject({ maxRetries: whole(0, 10).optional(), statuses: z.array(whole(400, 599)).optional() }),
    ])
    .optional(),
  circuitBreaker: z
    .union([
      off,
      z.strictObject({
        maximumFailuresAllowed: whole(1, 1_000).optional(),
        timeWindowInMilliseconds: whole(1, dayMs).optional(),
        resetTimeoutInMilliseconds: whole(1, dayMs).optional(),
      }),
    ])
    .optional(),
  hedge: z
    .union([off, z.strictObject({ delayMs: whole(1, dayMs), maxHedges: whole(1, 5).optional() })])
    .optional(),
  /** Most bytes of a request body; above it 413. */
  bodyLimitBytes: whole(0, Number.MAX_SAFE_INTEGER, ' of bytes').optional(),
  requestHeaders: headerRules.optional(),
  responseHeaders: headerRules.optional(),
  cors: z.union([off, policySchemas.cors]).optional(),
  auth: z.union([off, policySchemas.auth]).optional(),
  rateLimit: z.union([off, policySchemas.rateLimit]).optional(),
  cache: z.union([off, policySchemas.cache]).optional(),
  priority: prioritySchema.optional(),
  /** The `Host` that the instance sees: the client's, or its own address. */
  host: z.enum(['client', 'instance'], 'must be client or instance').optional(),
  /** What is done with `%2f` and `%5c`; dot segments, NUL and raw backslashes are always refused. */
  paths: z
    .strictObject({
      encodedSlash: z.enum(['reject', 'keep', 'redirect'], 'must be reject, keep or redirect').optional(),
    })
    .optional(),
  /** Whether WebSockets pass; `origins`: also those of pages from there, beside the gateway's own host. */
  websocket: z.union([z.boolean(), z.strictObject({ origins: z.array(text).min(1) })]).optional(),
};

const route = z.strictObject({
  /** Name in logs, metrics and differences. Default: its match as a text. */
  id: text
    .regex(/^[^\p{Cc}]{1,500}$/u, 'must be 1 to 500 characters, none of them a control character')
    .optional(),
  match,
  /** Name in the registry; `*` of a prefix: the next segment of the path names it. */
  service: z.union([z.literal('*'), service], 'must be the name of a service, or "*"').optional(),
  split: z.array(branch).min(1, 'must have a branch').optional(),
  sticky: sticky.optional(),
  /** Turns a branch off that fails more than the first one. */
  rollback: z.union([off, guard]).optional(),
  /** What the instance gets in the place of what matched; may use the `:names` of the match. Default: the path stays as it is. */
  rewrite: text.refine((path) => isPrefix(path), prefixForm).optional(),
  ...settings,
});

/** The whole configuration. Unknown keys are faults: a policy that is misspelt is a policy that is missing. */
export const routesSchema = z.strictObject({
  /** What every route does that does not say otherwise. */
  defaults: z.strictObject(settings).optional(),
  routes: z.array(route).max(10_000, 'must be at most 10000 routes'),
});

/** Routes as people write them, in TypeScript or in a file. */
export type RoutesInput = z.input<typeof routesSchema>;
/** One route as people write it. */
export type RouteInput = RoutesInput['routes'][number];
/** One route that was checked: with an id, and the defaults in it. */
export type Route = z.output<typeof route> & { readonly id: string };
/** One branch of a split. */
export type Branch = z.output<typeof branch>;
/** How a client finds its branch again. */
export type Sticky = z.output<typeof sticky>;
/** When a branch is turned off. */
export type Rollback = z.output<typeof guard>;
/** What a request must look like. */
export type Match = z.output<typeof match>;
/** How one value is looked at. */
export type Condition = z.output<typeof condition>;
/** What is done to header fields. */
export type HeaderRules = z.output<typeof headerRules>;
