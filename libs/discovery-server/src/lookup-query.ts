import type { Instance } from '@mesh/discovery-client';
import { inVersionRange } from '@mesh/discovery-client';
import { z } from 'zod';
import * as field from './fields.ts';
import type { View } from './service-entry.ts';

const statuses = ['up', 'suspect', 'down', 'draining', 'maintenance', 'any'] as const;

const wholeNumber = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^\d{1,7}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(minimum).max(maximum));

const filters = {
  status: z.enum(statuses).optional().describe('Default: up'),
  zone: field.zone.optional(),
  version: z
    .string()
    .max(128)
    .refine(isRange, 'must be a version or a range, such as 1.2, ^1.2.0 or >=1 <3')
    .optional()
    .describe('A version or a range of them'),
  search: z.string().min(1).max(128).optional().describe('Part of an id or a host'),
};

const wait = z
  .string()
  .regex(/^\d{1,3}(\.\d{1,3})?$/, 'must be seconds')
  .transform(Number)
  .pipe(z.number().min(0).max(600))
  .optional()
  .describe('With If-None-Match: seconds to wait for a change');

/** Instances of one service, or services of a page, at most. */
const maximumLimit = 100_000;

// A looser object than elsewhere: `meta.<key>` is any key. What else is unknown is refused all the same.
const metaOnly = z.record(z.string().regex(/^meta\..{1,128}$/, 'is not known'), z.string().max(1024));

/** What is not in the shape is refused, unless it asks for metadata. */
function lookupQuery<T extends z.ZodRawShape>(shape: T) {
  return z
    .object(shape)
    .catchall(z.string())
    .superRefine((query, context) => {
      for (const [key, value] of Object.entries(query)) {
        if (Object.hasOwn(shape, key) || metaOnly.safeParse({ [key]: value }).success) continue;
        context.addIssue({ code: 'custom', path: [key], message: 'is not known here' });
      }
    });
}

/** Query of `GET /services/:name`. */
export const serviceQuery = lookupQuery({
  namespace: field.namespace.optional(),
  ...filters,
  limit: wholeNumber(1, maximumLimit).optional().describe('At most so many instances'),
  offset: wholeNumber(0, 9_999_999)
    .optional()
    .describe('After so many of them, in the order in which they came'),
  wait,
});

/** Query of `GET /services`. */
export const servicesQuery = lookupQuery({
  namespace: field.anyNamespace.optional(),
  ...filters,
  search: filters.search.describe('Part of the name of a service, or else of the id or host of an instance'),
  limit: wholeNumber(1, maximumLimit).optional().describe('At most so many services'),
  after: z.string().max(127).optional().describe('Services after this one; `next` of the page before'),
  instances: wholeNumber(0, maximumLimit).optional().describe('At most so many instances of each'),
  wait,
});

/** Which instances a lookup asks for. */
export interface LookupFilter {
  readonly status?: (typeof statuses)[number] | undefined;
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
  /** Part of an id or a host. */
  readonly search?: string | undefined;
}

/** What to look through for a filter; `up` is what the plain view holds. */
export function viewOf({ status = 'up' }: LookupFilter): View {
  return status === 'up' ? 'listed' : 'any';
}

/** Whether an instance passes; undefined when all of the view do. */
export function predicateOf(
  query: LookupFilter & Readonly<Record<string, unknown>>,
): ((instance: Instance) => boolean) | undefined {
  const { status = 'up', zone, version, search } = query;
  const wanted = Object.keys(query).filter((key) => key.startsWith('meta.'));
  const isPlain = [zone, version, search].every((one) => one === undefined) && wanted.length === 0;
  if (isPlain && (status === 'up' || status === 'any')) return undefined;
  return (instance) => {
    const { metadata } = instance;
    const isVersion = instance.version ?? metadata['version'] ?? '';
    return (
      (status === 'any' || instance.status === status) &&
      (search === undefined || instance.id.includes(search) || instance.host.includes(search)) &&
      (zone === undefined || (instance.zone ?? metadata['zone']) === zone) &&
      (version === undefined || inVersionRange(isVersion, version)) &&
      wanted.every((key) => metadata[key.slice('meta.'.length)] === query[key])
    );
  };
}

function isRange(text: string): boolean {
  try {
    inVersionRange('0.0.0', text);
    return true;
  } catch {
    return false;
  }
}
