import type { HealthCheck } from './health-check.ts';

/** What an instance says when it registers. Absent fields take their defaults, also when it registers again. */
export interface RegistrationRequest {
  /** Name of the service. */
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string | undefined;
  /** Address for callers. */
  readonly host: string;
  readonly port: number;
  /** Unique within the service. Default `host:port`. */
  readonly id?: string | undefined;
  /** Seconds between two heartbeats. Default 30. */
  readonly heartbeatInterval?: number | undefined;
  /** Asked by the registry every 10 s, unless `check` says otherwise. */
  readonly healthCheckUrl?: string | undefined;
  /** How the registry checks it. Default: by `healthCheckUrl`, and not at all without one. */
  readonly check?: HealthCheck | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
  /** Share of the traffic relative to its siblings. Default 1. */
  readonly weight?: number | undefined;
  /** False: listed as `down` until a heartbeat or registration says true. Default true. */
  readonly healthy?: boolean | undefined;
  /** Tells this process from an earlier one at the same address. Default: as registered before, else made up. */
  readonly incarnation?: string | undefined;
}

/** What an instance says with a heartbeat. Without an id the address names it. */
export interface HeartbeatRequest {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly id?: string | undefined;
  /** Seconds; changes the lease when it differs from what was registered. */
  readonly heartbeatInterval?: number | undefined;
  readonly incarnation?: string | undefined;
  /** What it thinks of itself; unchanged when absent. */
  readonly healthy?: boolean | undefined;
}

/** Which instance is meant to leave. Host and id are needed only where several instances of the name have that port. */
export interface DeregistrationRequest {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly port: number;
  readonly host?: string | undefined;
  readonly id?: string | undefined;
  readonly incarnation?: string | undefined;
}

/** How long an instance stays listed without another heartbeat. */
export interface Lease {
  /** 1.5 times the heartbeat interval: 50 % grace. */
  readonly durationMs: number;
  /** ISO 8601, by the registry's wall clock; for display, the registry itself counts on a monotonic clock. */
  readonly expiresAt: string;
}

/** One run of one instance. */
export interface InstanceIdentity {
  /** `name`, or `namespace/name`. */
  readonly service: string;
  readonly id: string;
  readonly incarnation: string;
}
