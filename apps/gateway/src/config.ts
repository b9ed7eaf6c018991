import { strategies, type StrategyName } from '@mesh/service-client';
import { durationMs, integer, port, serviceSettings } from '@mesh/service-kit';
import { z } from 'zod';

const list = z
  .string()
  .transform((text) => text.split(',').map((one) => one.trim()))
  .refine(
    (entries) => entries.every((one) => /^[\d.a-f:]+(?:\/\d{1,3})?$/i.test(one)),
    'must be addresses or CIDR blocks',
  )
  .optional();

/** The environment of the API gateway. */
export const gatewayConfig = z.object({
  ...serviceSettings,
  PORT: port(8000),
  /** How an instance is picked: a strategy of `@mesh/load-balancer`. */
  LOAD_BALANCING: z.enum(Object.keys(strategies) as StrategyName[]).default('adaptive'),
  /** Failures in the window that open the circuit of an upstream. */
  CIRCUIT_MAXIMUM_FAILURES: integer(3, { min: 1, max: 1000 }),
  CIRCUIT_TIME_WINDOW_MS: integer(30_000, { min: 1, max: 86_400_000 }),
  /** How long an open circuit waits before it tries again. */
  CIRCUIT_RESET_TIMEOUT_MS: integer(30_000, { min: 1, max: 86_400_000 }),
  /** File of the routes, YAML or JSON; followed while the gateway runs, and read again on SIGHUP. Default: those of `routes.ts`. */
  GATEWAY_ROUTES: z.string().min(1).max(4096).optional(),

  /** Processes that serve the port together; 1: no cluster. Default 1. */
  WORKERS: integer(1, { min: 1, max: 64 }),
  /** Most requests at a time that are passed on; what is more waits, or is refused with 503. */
  MAX_IN_FLIGHT: integer(1_000, { min: 1, max: 1_000_000 }),
  /** Memory for stored answers of routes with a `cache`. */
  CACHE_MAX_BYTES: integer(64 * 1024 * 1024, { min: 1, max: 2 ** 40 }),
  /** Proxies in front of the gateway whose X-Forwarded-* is believed: addresses and CIDR blocks with commas between. Default: none. */
  TRUSTED_PROXIES: list,
  /** What tokens are verified with, for routes with `auth`: a key set at a URL, or a secret of at least 32 characters. Default: no tokens. */
  JWT_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
  JWT_SECRET: z.string().min(32, 'must be at least 32 characters').optional(),
  /** `iss` and `aud` that tokens must have. Default: not looked at. */
  JWT_ISSUER: z.string().min(1).optional(),
  JWT_AUDIENCE: z.string().min(1).optional(),
  /** File of API keys: `{ "keys": [{ "id", "hash", "scopes" }] }`, hashed by `hashApiKey()`. Default: none. */
  API_KEYS_FILE: z.string().min(1).max(4096).optional(),
  /** Secret by which services verify who calls (`x-mesh-identity`), at least 32 characters. Default: they are not told. */
  IDENTITY_KEY: z.string().min(32, 'must be at least 32 characters').optional(),
  /** Redis in which several gateways count rate limits together. Default: each counts for itself. */
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  /** Longest wait for the head of one answer, 0 for any; another instance is tried after it. */
  ATTEMPT_TIMEOUT_MS: durationMs(5_000),
});

export type GatewayConfig = z.output<typeof gatewayConfig>;
