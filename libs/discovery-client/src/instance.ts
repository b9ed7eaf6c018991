/** A living instance of a service, as the registry tells it. Frozen. */
export interface Instance {
  /** Unique within its service; `host:port` unless the instance chose another. */
  readonly id: string;
  /** Name of the service. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly healthCheckUrl?: string;
  /** Share of the traffic relative to its siblings. */
  readonly weight: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: 'up';
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
  /** `stale`: past its time to live and served while it is being refreshed, or because the registry does not answer. */
  readonly source: 'fresh' | 'stale';
}

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
}

/** What the cache holds for one service; for a health page. */
export interface CachedService {
  readonly name: string;
  /** Milliseconds left until the list has to be refreshed; 0 when it is due. A live watch keeps it at its full time. */
  readonly ttlMs: number;
  /** Number of instances. */
  readonly instances: number;
  readonly source: 'fresh' | 'stale';
}
