import type { Instance } from '@mesh/discovery-client';
import { z } from 'zod';
import * as field from './fields.ts';

const { name, port, id, host, namespace, incarnation, zone, version } = field;

const unkept = z.number().min(0).optional().describe('Accepted and not kept');

const healthy = z.boolean().optional().describe('What it thinks of itself; false: down');

/** Body of `POST /register`. */
export const registerBody = z.strictObject({
  name,
  namespace: namespace.optional(),
  port,
  heartbeatInterval: field.heartbeatInterval.optional(),
  id: id.optional(),
  host: host.optional(),
  healthCheckUrl: field.httpUrl.optional(),
  check: field.check.optional(),
  metadata: field.metadata.optional(),
  zone: zone.optional(),
  version: version.optional(),
  weight: field.weight.optional(),
  incarnation: incarnation.optional(),
  healthy,
  failureCount: unkept,
  requestCount: unkept,
  avgResponseTime: unkept,
  lastHealthCheck: unkept,
});

/** Body of `POST /heartbeat`. */
export const heartbeatBody = z.strictObject({
  name,
  namespace: namespace.optional(),
  port,
  heartbeatInterval: field.heartbeatInterval.optional(),
  id: id.optional(),
  host: host.optional(),
  incarnation: incarnation.optional(),
  healthy,
});

/** Body of `POST /heartbeats`. */
export const heartbeatsBody = z.strictObject({ heartbeats: z.array(heartbeatBody).min(1).max(1000) });

/** Body of `POST /session`. */
export const sessionBody = z.strictObject({ ...heartbeatBody.shape, incarnation });

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
  namespace: namespace.optional(),
});

/** Path of the routes about one instance. */
export const overrideParams = z.strictObject({ name, id });

/** Query of the routes about one instance. */
export const overrideQuery = z.strictObject({ namespace: namespace.optional() });

/** Query of `PUT /services/:name/:id/drain`. */
export const drainQuery = z.strictObject({
  namespace: namespace.optional(),
  incarnation: incarnation.optional().describe('Ends with this process; default: until it is taken back'),
});

/** Body of `PUT /services/:name/:id/status`. */
export const statusBody = z.strictObject({ status: z.enum(['up', 'draining', 'maintenance']) });

/** Body of `PUT /services/:name/:id/weight`. */
export const weightBody = z.strictObject({ weight: field.weight.nullable() });

/** Query of a route that takes none. */
export const noQuery = z.strictObject({});

/** Query of `GET /watch`. */
export const watchQuery = z.strictObject({
  services: field.serviceList.optional(),
  namespace: field.anyNamespace.optional(),
  status: z.literal('any').optional().describe('Also instances that are not up'),
});

const status = z.enum(['up', 'suspect', 'down', 'draining', 'maintenance']);

/** An instance on the wire. */
export const instanceSchema = z.object({
  id: z.string(),
  name: z.string(),
  namespace: z.string().exactOptional(),
  host: z.string(),
  port,
  healthCheckUrl: z.string().exactOptional(),
  weight: z.number(),
  metadata: z.record(z.string(), z.string()).readonly(),
  zone: z.string().exactOptional(),
  version: z.string().exactOptional(),
  status,
  protected: z.literal(true).exactOptional(),
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

/** Answer of `POST /heartbeats`. */
export const heartbeatsAnswer = z.object({
  results: z
    .array(
      z.union([
        z.object({ status: z.literal(200), lease, revision: z.string() }),
        z.object({ status: z.int(), code: z.string(), detail: z.string() }),
      ]),
    )
    .readonly(),
});

/** Answer of the routes about one instance. */
export const overrideAnswer = z.object({
  name: z.string(),
  id: z.string(),
  override: z.object({
    status: z.enum(['draining', 'maintenance']).exactOptional(),
    weight: z.number().exactOptional(),
  }),
});

/** Answer of `GET /services/:name`. */
export const serviceAnswer = z.object({
  name: z.string(),
  namespace: z.string().exactOptional(),
  instances,
  total: z.int().exactOptional().describe('Of which these are some; with limit or offset'),
  revision: z.string(),
  hash: z.string(),
});

/** Answer of `GET /services`. */
export const servicesAnswer = z.object({
  services: z
    .array(
      z.object({
        name: z.string(),
        namespace: z.string().exactOptional(),
        instances,
        total: z.int().exactOptional().describe('Of which these are some; with instances'),
      }),
    )
    .readonly(),
  total: z.int().exactOptional().describe('Services that fit; with limit'),
  revision: z.string(),
  next: z.string().exactOptional(),
});

/** Answer of `GET /sd/prometheus`. */
export const targetsAnswer = z
  .array(z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) }))
  .readonly();

/** Answer of `GET /health`. */
export const healthAnswer = z.object({
  service: z.literal('discovery'),
  status: z.literal('healthy'),
  uptime: z.number().describe('Seconds'),
  timestamp: z.iso.datetime(),
  services: z.int(),
  instances: z.int(),
  watchers: z.int(),
  sessions: z.int(),
  protection: z.boolean().describe('Whether it keeps instances whose lease is over'),
  revision: z.string(),
});
