import { SelfHealth } from '@mesh/health-monitor';
import type { DependencyCheck, DependencyReport, SelfStatus } from '@mesh/health-monitor';
import type { Identity } from './identity.ts';

/** A probe, and whether the service can do without what it looks at (`critical: false` -> degraded). */
export type HealthCheck = DependencyCheck;

/** State of a whole service. `degraded` still serves; `starting`, `unhealthy` and `leaving` answer 503. */
export type HealthStatus = SelfStatus;

/** What one check found. */
export type CheckReport = DependencyReport;

/** The body of `GET /health`. */
export interface HealthReport {
  readonly status: HealthStatus;
  readonly service: string;
  readonly instance: string;
  /** ISO 8601, when the report was asked for. */
  readonly timestamp: string;
  /** Seconds since the process started. */
  readonly uptime: number;
  readonly checks: Readonly<Record<string, CheckReport>>;
}

/** How checks are run. */
export interface HealthOptions {
  readonly checks?: Readonly<Record<string, HealthCheck>>;
  /** Longest that one check may take, in ms. Default 2000. */
  readonly timeoutMs?: number;
  /** How long a result is used again, in ms; a storm of probes costs one look. Default 1000. */
  readonly cacheMs?: number;
  /** Monotonic clock in ms. Default `performance`. */
  readonly clock?: { now(): number };
  /** Hears of every change of the status. */
  readonly onChange?: (status: HealthStatus, checks: HealthReport['checks']) => void;
}

/** The health of one instance: that of `@mesh/health-monitor`, with a name and the age of the process. */
export class Health {
  readonly #identity: Identity;
  readonly #self: SelfHealth;

  constructor(identity: Identity, options: HealthOptions = {}) {
    this.#identity = identity;
    this.#self = new SelfHealth({ ...options, service: identity.service });
  }

  /** True once {@link leave} was called. */
  get leaving(): boolean {
    return this.#self.leaving;
  }

  /** From now on the status is `leaving`: whoever asks should send no more work. */
  leave(): void {
    this.#self.leave();
  }

  /** The state now, or at most `cacheMs` ago. Never rejects. */
  async report(): Promise<HealthReport> {
    const { status, timestamp, checks } = await this.#self.report();
    const uptime = Math.round(process.uptime() * 1000) / 1000;
    return { status, ...this.#identity, timestamp, uptime, checks };
  }
}
