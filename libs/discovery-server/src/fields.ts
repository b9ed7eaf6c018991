import { isIP } from 'node:net';
import { z } from 'zod';
import { normalizeHost } from './address.ts';

/** Names that mean something on every object: whoever keeps services or metadata in one must not be surprised. */
const reserved: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const namePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const name = z
  .string()
  .regex(namePattern, 'must be 1 to 63 lower-case letters, digits and inner hyphens')
  .refine((text) => !reserved.has(text), 'is a reserved word')
  .describe('Name of the service');

export const port = z.int().min(1).max(65_535);

const idPattern = /^[\w.:@[\]~-]{1,128}$/;

export const id = z
  .string()
  .regex(idPattern, 'must be 1 to 128 letters, digits and . : @ [ ] ~ _ -')
  .refine((text) => !reserved.has(text), 'is a reserved word')
  .describe('Unique within the service; default host:port');

const hostname = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/;

export const host = z
  .string()
  .max(255)
  .refine(isAddress, 'must be a host name or an IP address')
  .describe('Address for callers; default: the address the request comes from');

function isAddress(text: string): boolean {
  const plain = normalizeHost(text);
  return isIP(plain) !== 0 || hostname.test(plain);
}

export const heartbeatInterval = z
  .number()
  .min(0.05)
  .max(3600)
  .describe('Seconds between two heartbeats, default 30; the lease is 1.5 times as long');

const incarnationPattern = /^[\w.:-]{1,64}$/;

export const incarnation = z
  .string()
  .regex(incarnationPattern, 'must be 1 to 64 letters, digits and . : _ -')
  .describe('Tells a restarted process from its predecessor at the same address');

export const httpUrl = z.url({ protocol: /^https?$/ }).max(2048);

export const metadata = z
  .record(
    z
      .string()
      .min(1)
      .max(128)
      .refine((key) => !reserved.has(key), 'is a reserved word'),
    z.string().max(1024),
  )
  .refine((values) => Object.keys(values).length <= 64, 'must have at most 64 keys');

export const namespace = name.describe('Default: default');

export const zone = z.string().regex(/^[\w.-]{1,63}$/, 'must be 1 to 63 letters, digits and . _ -');

/** SemVer 2.0.0: a leading v is not part of it. */
export const version = z
  .string()
  .max(64)
  .regex(/^\d{1,9}\.\d{1,9}\.\d{1,9}([-+][\w.+-]+)?$/, 'must be major.minor.patch')
  .describe('Version of the service');

export const weight = z.number().min(0.001).max(1000).describe('Share of the traffic, default 1');

/** How the registry checks an instance. */
export const check = z
  .strictObject({
    type: z.enum(['http', 'tcp', 'grpc', 'ttl']),
    path: z
      .string()
      .max(1024)
      .regex(/^\/[!-~]*$/, 'must be a path')
      .optional(),
    grpcService: z.string().max(255).optional(),
    intervalMs: z.int().min(100).max(3_600_000).optional().describe('Default 10 000'),
    timeoutMs: z.int().min(10).max(60_000).optional().describe('Default 2000, at most the interval'),
    rise: z.int().min(1).max(100).optional().describe('Default 2'),
    fall: z.int().min(1).max(100).optional().describe('Default 3'),
  })
  .describe('Default: GET of healthCheckUrl every 10 s, and none without one');

/** Names of services, separated by commas, each `name` or `namespace/name`. */
export const serviceList = z
  .string()
  .max(8192)
  .transform((text) => text.split(','))
  .pipe(z.array(z.union([name, z.string().regex(/^[a-z0-9-]{1,63}\/[a-z0-9-]{1,63}$/)])))
  .describe('Names, or namespace/name, separated by commas; default all');

/** A namespace, or `*` for all of them. */
export const anyNamespace = z.union([z.literal('*'), name]).describe('Default: default; * for all');

/** The same rules without a reason why not, for what comes often: see `quick-validator.ts`. */
export function isName(value: unknown): boolean {
  return typeof value === 'string' && namePattern.test(value) && !reserved.has(value);
}

export function isId(value: unknown): boolean {
  return typeof value === 'string' && idPattern.test(value) && !reserved.has(value);
}

export function isHost(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 255 && isAddress(value);
}

export function isIncarnation(value: unknown): boolean {
  return typeof value === 'string' && incarnationPattern.test(value);
}
