import { isIP } from 'node:net';
import type { Instance } from '@mesh/discovery-client';
import { z } from 'zod';
import { normalizeHost } from './address.ts';

/** Names that mean something on every object: whoever keeps services or metadata in one must not be surprised. */
const reserved: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 lower-case letters, digits and inner hyphens',
  )
  .refine((text) => !reserved.has(text), 'is a reserved word')
  .describe('Name of the service');

const port = z.int().min(1).max(65_535);

const id = z
  .string()
  .regex(/^[\w.:@[\]~-]{1,128}$/, 'must be 1 to 128 letters, digits and . : @ [ ] ~ _ -')
  .refine((text) => !reserved.has(text), 'is a reserved word')
  .describe('Unique within the service; default host:port');

const hostname = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/;

const host = z
  .string()
  .max(255)
  .refine((text) => {
    const plain = normalizeHost(text);
    return isIP(plain) !== 0 || hostname.test(plain);
  }, 'must be a host name or an IP address')
  .describe('Address for callers; default: the address the request comes from');

const heartbeatInterval = z
  .number()
  .min(0.05)
  .max(3600)
  .describe('Seconds between two heartbeats, default 30; the lease is 1.5 times as long');

const incarnation = z
  .string()
  .regex(/^[\w.:-]{1,64}$/, 'must be 1 to 64 letters, digits and . : _ -')
  .describe('Tells a restarted process from its predecessor at the same address');

const httpUrl = z.url({ protocol: /^https?$/ }).max(2048);

const metadata = z
  .record(
    z
      .string()
      .min(1)
      .max(128)
      .refine((key) => !reserved.has(key), 'is a reserved word'),
    z.string().max(1024),
  )
  .refine((values) => Object.keys(values).length <= 64, 'must have at most 64 keys');

const count = z.number().min(0);

/** Body of `POST /register`. */
export const registerBody = z.strictObject({
  name,
  port,
  heartbeatInterval: heartbeatInterval.optional(),
  id: id.optional(),
  host: host.optional(),
  healthCheckUrl: httpUrl.optional(),
  metadata: metadata.optional(),
  weight: z.number().min(0.001).max(1000).optional().describe('Share of the traffic, default 1'),
  incarnation: incarnation.optional(),
  healthy: z.boolean().optional().describe('Accepted and not kept: the registry knows by heartbeats'),
  failureCount: count.optional().describe('Accepted and not kept'),
  requestCount: count.optional().describe('Accepted and not kept'),
  avgResponseTime: count.optional().describe('Accepted and not kept'),
  lastHealthCheck: count.optional().describe('Accepted and not kept'),
});

/** Body of `POST /heartbeat`. */
export const heartbeatBody = z.strictObject({
  name,
  port,
  heartbeatInterval: heartbeatInterval.optional(),
  id: id.optional(),
  host: host.optional(),
  incarnation: incarnation.optional(),
});

/** Path of `GET /services/:name`. */
export const serviceParams = z.strictObject({ name });

/** Path of `DELETE /services/:name/:port`. */
export const instanceParams = z.strictObject({
  name,
  port: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, 'must be a port')
    .transform(Number)
    .pipe(port),
});

/** Query of `DELETE /services/:name/:port`. */
export const instanceQuery = z.strictObject({
  host: host.optional(),
  id: id.optional(),
  incarnation: incarnation.optional(),
});

/** Query of a route that takes none. */
export const noQuery = z.strictObject({});

/** Query of `GET /watch`. */
export const watchQuery = z.strictObject({
  services: z
    .string()
    .max(8192)
    .transform((text) => text.split(','))
    .pipe(z.array(name))
    .optional()
    .describe('Names, separated by commas; default all'),
});

/** An instance on the wire. */
export const instanceSchema = z.object({
  id: z.string(),
  name: z.string(),
  host: z.string(),
  port,
  healthCheckUrl: z.string().exactOptional(),
  weight: z.number(),
  metadata: z.record(z.string(), z.string()).readonly(),
  status: z.literal('up'),
  heartbeatInterval: z.number(),
  incarnation: z.string(),
  registeredAt: z.iso.datetime(),
  lastHeartbeat: z.iso.datetime(),
}) satisfies z.ZodType<Instance>;

const lease = z.object({ durationMs: z.number(), expiresAt: z.iso.datetime() });

const instances = z.array(instanceSchema).readonly();

/** Answer of `POST /register`. */
export const registerAnswer = z.object({ ...instanceSchema.shape, lease, revision: z.string() });

/** Answer of `POST /heartbeat`. */
export const heartbeatAnswer = z.object({ lease, revision: z.string() });

/** Answer of `GET /services/:name`. */
export const serviceAnswer = z.object({ name: z.string(), instances, revision: z.string() });

/** Answer of `GET /services`. */
export const servicesAnswer = z.object({
  services: z.array(z.object({ name: z.string(), instances })).readonly(),
  revision: z.string(),
});

/** Answer of `GET /health`. */
export const healthAnswer = z.object({
  service: z.literal('discovery'),
  status: z.literal('healthy'),
  uptime: z.number().describe('Seconds'),
  timestamp: z.iso.datetime(),
  services: z.int(),
  instances: z.int(),
  watchers: z.int(),
  revision: z.string(),
});
