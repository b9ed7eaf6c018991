import { z } from 'zod';

/**
 * What a route may say to the policies that live in folders of their own. Each is one line here and a schema there (auth/, limits/,
 * cache/, operations/); until a folder brings its own, any object is taken and handed to the policy unread.
 */
const unread = z.looseObject({});

export const policySchemas = {
  auth: unread,
  rateLimit: unread,
  cache: unread,
};

/** How much a route matters when there is too much to do. */
export const prioritySchema = z.enum(['critical', 'normal', 'low'], 'must be critical, normal or low');
