import { z } from 'zod';
import { authSchema } from '../auth/auth-rules.ts';
import { corsSchema } from '../auth/cors.ts';
import { cacheSchema } from '../cache/cache-policy.ts';
import { rateLimitSchema } from '../limits/rate-limit-rules.ts';
import { priorities } from '../operations/admission.ts';

/** What a route may say to the policies that live in folders of their own. Each is one line here and a schema there. */
export const policySchemas = {
  cors: corsSchema,
  auth: authSchema,
  rateLimit: rateLimitSchema,
  cache: cacheSchema,
};

/** How much a route matters when there is too much to do. Without a default of its own: it would hide the one of `defaults`. */
export const prioritySchema = z.enum(priorities, `must be one of ${priorities.join(', ')}`);
