import { createDiscoveryClient } from '@mesh/discovery-client/node';
import { z } from 'zod';
import type { ZodError, ZodType } from 'zod';

/** One thing that is wrong with the environment. */
export interface ConfigFault {
  /** The variable, for example `PORT`. */
  readonly path: string;
  /** What it must be. Never the value of a secret. */
  readonly message: string;
}

/** The environment does not make a configuration. `faults` holds everything that is wrong with it, not the first only. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_CONFIG';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(`configuration: ${faults.map(({ path, message }) => `${path} ${message}`).join('; ')}`);
    this.faults = faults;
  }
}

/** True for a {@link ConfigError}, of this or of another copy of the package. */
export function isConfigError(error: unknown): error is ConfigError {
  return error instanceof Error && 'code' in error && error.code === 'ERR_CONFIG';
}

/** A whole number in a range, written in digits; `fallback` when the variable is not set. */
export function integer(fallback: number, { min, max }: { min: number; max: number }) {
  const expected = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected)
    .default(fallback);
}

/** A TCP port, 0..65535; 0 takes a free one. `fallback` when the variable is not set. */
export function port(fallback: number) {
  return integer(fallback, { min: 0, max: 65_535 });
}

/** A duration in whole milliseconds, at most a day. `fallback` when the variable is not set. */
export function durationMs(fallback: number) {
  return integer(fallback, { min: 0, max: 86_400_000 });
}

/** `true`, `false`, `1`, `0`, `yes`, `no`, `on` or `off`. `fallback` when the variable is not set. */
export function boolean(fallback: boolean) {
  return z.stringbool({ error: 'must be true or false' }).default(fallback);
}

/** An absolute URL with one of these schemes, kept as it is written. `fallback` when the variable is not set. */
export function url(fallback: string, schemes: readonly string[] = ['http', 'https']) {
  return z
    .string()
    .refine(
      (value) => schemes.some((scheme) => isUrl(value, scheme)),
      `must be a URL (${schemes.join(', ')})`,
    )
    .default(fallback);
}

function isUrl(value: string, scheme: string): boolean {
  return URL.canParse(value) && new URL(value).protocol === `${scheme}:`;
}

/** Any address that a discovery client understands: one of a registry, or of what takes its place. */
const registryAddress = z
  .string()
  .refine((value) => !/\/\/[^/,]*@/.test(value), {
    error: 'must hold no password; use MESH_TOKEN',
    abort: true,
  })
  .refine(isRegistry, 'must be the address of a registry (http, https, consul, dns, static)')
  .default('http://localhost:3000');

/** Making a client checks the address and opens nothing. */
function isRegistry(value: string): boolean {
  try {
    createDiscoveryClient({ serverUrl: value });
    return true;
  } catch {
    return false;
  }
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** `*` = any origin may read; `none` = CORS is off; otherwise a list of origins, separated by commas. */
const corsOrigin = z
  .string()
  .transform((value) =>
    value === '*' || value === 'none' ? value : value.split(',').map((item) => item.trim()),
  )
  .refine(
    (value) =>
      typeof value === 'string' || value.every((item) => URL.canParse(item) && new URL(item).origin === item),
    'must be *, none or origins such as https://shop.example, separated by commas',
  )
  .default('*');

/**
 * The variables that every service reads. An application extends them:
 * `z.object({ ...serviceSettings, PORT: port(4000), DATABASE_URL: ... })`.
 */
export const serviceSettings = {
  /** Port to listen on; 0 takes a free one. Default 3000. */
  PORT: port(3000),
  /** Address to bind. Default 127.0.0.1; one that other machines reach needs `MESH_TOKEN`. */
  HOST: z.string().min(1).max(253).default('127.0.0.1'),
  /** Level of the log. Default info. */
  LOG_LEVEL: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).default('info'),
  /** Where the registry is, its servers with commas between; its scheme says what it is. Default http://localhost:3000. */
  DISCOVERY_URL: registryAddress,
  /** Address that others should use for this instance. Default: 127.0.0.1 on loopback, else what the registry sees. */
  ADVERTISED_HOST: z.string().min(1).max(253).optional(),
  /** Seconds between heartbeats, 1..3600. Default 30. */
  HEARTBEAT_INTERVAL: integer(30, { min: 1, max: 3600 }),
  /** Secret that the mesh's control routes ask for. At least 16 characters. Default: none, which only loopback may do. */
  MESH_TOKEN: z.string().min(16, 'must be at least 16 characters').max(1024).optional(),
  /** Longest that requests in flight may take to end after a stop was asked for, in ms. Default 10 000. */
  GRACE_PERIOD_MS: durationMs(10_000),
  /** Time between leaving the registry and closing the door, in ms, so that callers learn of it. Default 300. */
  LEAVE_DELAY_MS: durationMs(300),
  /** Time over which event streams and WebSockets are ended one after the other when leaving, in ms. Default 300. */
  STREAM_CLOSE_MS: durationMs(300),
  /** Which origins may read from a browser: `*`, `none` or a list. Default `*` (never with credentials). */
  CORS_ORIGIN: corsOrigin,
  /** Largest request body in bytes, 1..1 GiB. Default 1 MiB. */
  BODY_LIMIT: integer(1_048_576, { min: 1, max: 1_073_741_824 }),
};

/** What {@link serviceSettings} become. */
export type ServiceConfig = Readonly<z.output<z.ZodObject<typeof serviceSettings>>>;

/**
 * Reads a configuration from the environment, once. A variable that is set to nothing counts as not set.
 *
 * @throws {ConfigError} with every fault of the environment.
 * @example readConfig(z.object({ ...serviceSettings, PORT: port(4000) }), process.env)
 */
export function readConfig<S extends ZodType>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<z.output<S>> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(given);
  const faults = [
    ...(result.success ? [] : faultsOf(result.error, given)),
    ...exposure(result.data ?? given),
  ];
  if (!result.success || faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(result.data);
}

function faultsOf(error: ZodError, given: Readonly<Record<string, unknown>>): ConfigFault[] {
  return error.issues.map(({ code, message, ...issue }) => {
    const path = issue.path.join('.') || 'environment';
    const isMissing = code === 'invalid_type' && !Object.hasOwn(given, path);
    return { path, message: isMissing ? 'is missing' : message };
  });
}

/** Whoever can reach a service can change what it holds, so a door to the network needs a key. */
function exposure(settings: unknown): ConfigFault[] {
  const { HOST: host, MESH_TOKEN: token } = settings as { HOST?: unknown; MESH_TOKEN?: unknown };
  if (typeof host !== 'string' || isLoopback(host) || token !== undefined) return [];
  return [{ path: 'MESH_TOKEN', message: `is needed because HOST ${host} is reachable from other machines` }];
}

/** True when only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
