/**
 * What the registry thinks of an instance. Only `up` is for callers; the others are told to whoever asks for them:
 * - `suspect`: its lease ran out or its session broke, and its address does not answer;
 * - `down`: its health check fails, or it says so itself;
 * - `draining`: it takes no new calls and ends the ones it has;
 * - `maintenance`: an operator took it out.
 */
export type InstanceStatus = 'up' | 'suspect' | 'down' | 'draining' | 'maintenance';

const statuses: ReadonlySet<unknown> = new Set<InstanceStatus>([
  'up',
  'suspect',
  'down',
  'draining',
  'maintenance',
]);

/** A living instance of a service, as the registry tells it. Frozen. */
export interface Instance {
  /** Unique within its service; `host:port` unless the instance chose another. */
  readonly id: string;
  /** Name of the service. */
  readonly name: string;
  /** Absent in the namespace `default`. */
  readonly namespace?: string;
  readonly host: string;
  readonly port: number;
  readonly healthCheckUrl?: string;
  /** Share of the traffic relative to its siblings. */
  readonly weight: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Where it runs; prefer callers' own. */
  readonly zone?: string;
  /** Of the service, `major.minor.patch`. */
  readonly version?: string;
  readonly status: InstanceStatus;
  /** Its lease ran out, but so many others' did too that the registry doubts itself: it may be dead. */
  readonly protected?: true;
  /** Seconds between two heartbeats; its lease lasts 1.5 times as long. */
  readonly heartbeatInterval: number;
  /** Tells a restarted process from its predecessor at the same address. */
  readonly incarnation: string;
  /** ISO 8601. */
  readonly registeredAt: string;
  /** ISO 8601; may be older than the truth, because a heartbeat alone changes nothing for the callers. */
  readonly lastHeartbeat: string;
}

/** What is known about a service at this moment. */
export interface Resolution {
  /** Frozen; the same array for as long as its content is the same, so `===` tells whether anything changed. */
  readonly instances: readonly Instance[];
  /** Revision of the registry that this list is from; empty when it has none. */
  readonly revision: string;
  /** Milliseconds since the registry last vouched for this list, read when you read it; 0 while a watch is live. */
  readonly ageMs: number;
  /**
   * - `fresh`: as the registry has it;
   * - `stale`: past its time to live, and served while it is being refreshed or because the registry does not answer;
   * - `disk`: what a former process knew, because the registry has not answered this one yet;
   * - `static`: written down by somebody, not registered.
   */
  readonly source: ResolutionSource;
}

/** Where an answer comes from. */
export type ResolutionSource = 'fresh' | 'stale' | 'disk' | 'static';

/** What a service says about itself when it registers. */
export interface ServiceDescription {
  /** Lower-case letters, digits and inner hyphens, at most 63. */
  readonly name: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Address for callers; default: the address the registry sees the registration come from. */
  readonly host?: string;
  /** Default `host:port`. */
  readonly id?: string;
  /** Seconds, 0.05 to 3600; default `defaultHeartbeatInterval`. */
  readonly heartbeatInterval?: number;
  readonly healthCheckUrl?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Default 1. */
  readonly weight?: number;
  /** Where it runs; callers can ask for instances of a zone. */
  readonly zone?: string;
  /** Its version, `major.minor.patch`; callers can ask for a range. */
  readonly version?: string;
}

/** A registration that keeps itself alive until it is ended. */
export interface Registration {
  /** As the registry last accepted it. */
  readonly instance: Instance;
  /**
   * Lets no new callers find the instance, which goes on living and serves those that it has. Rejects with a `DiscoveryError`
   * when the registry does not hear it, and does nothing after `deregister()`.
   */
  drain(): Promise<void>;
  /** Takes a drain back. */
  undrain(): Promise<void>;
  /** Says goodbye and ends the heartbeats. Resolves also when the registry did not hear it; then the lease runs out. */
  deregister(): Promise<void>;
  /** The same as `deregister()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the cache holds for one service; for a health page. */
export interface CachedService {
  readonly name: string;
  /** Milliseconds left until the list has to be refreshed; 0 when it is due. A live watch keeps it at its full time. */
  readonly ttlMs: number;
  /** Number of instances. */
  readonly instances: number;
  readonly source: ResolutionSource;
}

/** Reads an instance of the registry's JSON and freezes it; undefined when it is none. */
export function readInstance(value: unknown): Instance | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, name, host, port, healthCheckUrl, ...rest } = value as Partial<Record<keyof Instance, unknown>>;
  if (typeof id !== 'string' || typeof name !== 'string' || typeof host !== 'string') return undefined;
  if (typeof port !== 'number' || !Number.isInteger(port)) return undefined;
  return Object.freeze({
    id,
    name,
    host,
    port,
    ...(typeof rest.namespace === 'string' && { namespace: rest.namespace }),
    ...(typeof healthCheckUrl === 'string' && { healthCheckUrl }),
    ...(typeof rest.zone === 'string' && { zone: rest.zone }),
    ...(typeof rest.version === 'string' && { version: rest.version }),
    ...(rest.protected === true && { protected: true }),
    weight: number(rest.weight, 1),
    metadata: Object.freeze({ ...(rest.metadata as Record<string, string> | undefined) }),
    status: statuses.has(rest.status) ? (rest.status as InstanceStatus) : 'up',
    heartbeatInterval: number(rest.heartbeatInterval, 30),
    incarnation: text(rest.incarnation),
    registeredAt: text(rest.registeredAt),
    lastHeartbeat: text(rest.lastHeartbeat),
  });
}

/** Whether callers may treat both as one: all but the two times, which change without meaning anything to a caller. */
export function sameInstance(a: Instance, b: Instance): boolean {
  return (
    a.id === b.id &&
    a.host === b.host &&
    a.port === b.port &&
    a.incarnation === b.incarnation &&
    a.weight === b.weight &&
    a.status === b.status &&
    a.protected === b.protected &&
    a.zone === b.zone &&
    a.version === b.version &&
    a.heartbeatInterval === b.heartbeatInterval &&
    a.healthCheckUrl === b.healthCheckUrl &&
    sameMetadata(a.metadata, b.metadata)
  );
}

/** How long an instance lives after its last heartbeat: its interval and half as much grace. */
export function leaseMs(instance: Instance): number {
  return instance.heartbeatInterval * 1500;
}

/** Whether the registry could know a service of this name at all. */
export function isServiceName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
}

function sameMetadata(a: Instance['metadata'], b: Instance['metadata']): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
  );
}

function number(value: unknown, otherwise: number): number {
  return typeof value === 'number' && value > 0 ? value : otherwise;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
