import { z } from 'zod';

/** What a caller may prove itself with. */
const method = z.enum(['jwt', 'api-key']);

/** A scope token of RFC 6749, 3.3. */
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'must be a scope token of RFC 6749');

/**
 * Authentication of one route, as a route file says it. Left out, nothing is asked for.
 *
 * @example authSchema.parse({ required: true, scopes: ['orders:write'] })
 */
export const authSchema = z
  .strictObject({
    required: z
      .union([z.boolean(), z.literal('optional')])
      .default(true)
      .describe(
        'true: a valid credential is asked for. "optional": one that is shown must be valid. false: none is looked at. Default true.',
      ),
    scopes: z
      .array(scope)
      .max(32)
      .default([])
      .describe('Scopes that the caller must have; without them 403. Default: none.'),
    match: z
      .enum(['all', 'any'])
      .default('all')
      .describe('Whether all of the scopes are needed or one of them is enough. Default "all".'),
    by: z
      .array(method)
      .min(1)
      .max(2)
      .optional()
      .describe('What is accepted here: "jwt", "api-key". Default: all that the gateway is set up for.'),
    credential: z
      .enum(['pass', 'strip'])
      .optional()
      .describe(
        'Whether the instance gets the credential of the client. Default: a token is passed on, an API key is not.',
      ),
  })
  .refine(({ required, scopes }) => required === true || scopes.length === 0, {
    path: ['scopes'],
    error: 'scopes need required: true',
  });

/** Authentication of one route, checked and with its defaults. */
export type AuthRules = z.output<typeof authSchema>;

/** Authentication of one route as it is written. */
export type AuthRulesInput = z.input<typeof authSchema>;

/** Checks rules. @throws RangeError naming what is wrong. */
export function readAuthRules(rules: AuthRulesInput): AuthRules {
  const { data, error } = authSchema.safeParse(rules);
  if (data !== undefined) return data;
  throw new RangeError(`auth: ${z.prettifyError(error)}`);
}
