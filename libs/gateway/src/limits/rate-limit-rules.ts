import { z } from 'zod';

const by = z
  .union([
    z.enum(['address', 'subject', 'route']),
    z.strictObject({ header: z.string().regex(/^[\w-]{1,64}$/, 'must be the name of a header') }),
  ])
  .default('address');

const limit = z.strictObject({
  limit: z.int().min(1).max(1_000_000_000).describe('Requests in one period.'),
  periodMs: z
    .int()
    .min(1)
    .max(86_400_000)
    .default(1_000)
    .describe('Length of the period in ms. Default 1 000.'),
  burst: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .optional()
    .describe('The most requests at once. Default: the limit. Only in memory, and not for a sliding window.'),
  algorithm: z
    .enum(['gcra', 'sliding-window'])
    .default('gcra')
    .describe(
      '"gcra": a bucket that is refilled evenly. "sliding-window": never more than the limit in any period. Only in memory. Default "gcra".',
    ),
  by: by.describe(
    'Whose requests are counted together: those of an "address" (IPv6: of a /64), of a "subject" (a token or an API key; of an address where nobody is known), ' +
      'of the whole "route", or of a value of {"header": name}. Default "address".',
  ),
  name: z
    .string()
    .regex(/^[\w./-]{1,64}$/, 'must be letters, digits and _ . / -')
    .optional()
    .describe('Name in the RateLimit headers. Default: what it says, such as "100/60s".'),
});

/**
 * Rate limits of one route, as a route file says them: a request must pass all of them.
 *
 * @example rateLimitSchema.parse({ limits: [{ limit: 20, by: 'subject' }, { limit: 10_000, periodMs: 3_600_000, by: 'subject' }] })
 */
export const rateLimitSchema = z.strictObject({
  limits: z
    .array(limit)
    .min(1)
    .max(8)
    .superRefine(nameEach)
    .describe('All of them must let a request pass: a burst and a long quota, for example.'),
  headers: z
    .enum(['always', 'refused', 'never'])
    .default('always')
    .describe('Which answers carry RateLimit and RateLimit-Policy. Default "always".'),
});

/** Rate limits of one route, checked and with their defaults. */
export type RateLimitRules = z.output<typeof rateLimitSchema>;

/** Rate limits of one route as they are written. */
export type RateLimitRulesInput = z.input<typeof rateLimitSchema>;

/** One limit, checked. */
export type LimitRule = RateLimitRules['limits'][number] & { readonly name: string };

/** Whose requests are counted together. */
export type LimitBy = LimitRule['by'];

/**
 * The limits that count whoever asks (by address, or by what a header says), and those that count who may ask. The first can be asked before
 * a credential is verified, and so hold back a flood of forged ones. What all share (`route`) belongs to the others: who is turned away
 * anyhow must not use it up.
 */
export function partLimits({ limits, headers }: RateLimitRules): {
  readonly anybody: RateLimitRules | undefined;
  readonly admitted: RateLimitRules | undefined;
} {
  const isOfAdmitted = ({ by: counted }: RateLimitRules['limits'][number]): boolean =>
    counted === 'subject' || counted === 'route';
  const rulesOf = (some: RateLimitRules['limits']): RateLimitRules | undefined =>
    some.length === 0 ? undefined : { limits: some, headers };
  return {
    anybody: rulesOf(limits.filter((one) => !isOfAdmitted(one))),
    admitted: rulesOf(limits.filter(isOfAdmitted)),
  };
}

/** Checks rules and gives each limit a name. @throws RangeError naming what is wrong. */
export function readRateLimitRules(rules: RateLimitRulesInput): {
  readonly limits: readonly LimitRule[];
  readonly headers: RateLimitRules['headers'];
} {
  const { data, error } = rateLimitSchema.safeParse(rules);
  if (data === undefined) throw new RangeError(`rateLimit: ${z.prettifyError(error)}`);
  return { limits: data.limits.map((rule) => ({ ...rule, name: nameOf(rule) })), headers: data.headers };
}

function nameOf({ name, limit: count, periodMs }: z.output<typeof limit>): string {
  return name ?? `${count}/${periodMs / 1_000}s`;
}

/** The headers tell limits apart by their names, and so does Redis. */
function nameEach(limits: readonly z.output<typeof limit>[], context: z.RefinementCtx): void {
  const names = limits.map(nameOf);
  names.forEach((name, at) => {
    if (names.indexOf(name) < at) {
      context.addIssue({
        code: 'custom',
        path: [at],
        message: `two limits are called ${name}; give them names`,
      });
    }
  });
}
