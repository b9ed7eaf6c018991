import type { Identity } from './identity.ts';

/** Looks at one dependency; throws (or rejects) when it is sick. The signal aborts when its time is over. */
export type HealthProbe = (signal: AbortSignal) => unknown;

/** A probe, and whether the service can do without what it looks at (`critical: false` -> degraded). */
export type HealthCheck = HealthProbe | { readonly run: HealthProbe; readonly critical?: boolean };

/** State of a whole service. `degraded` still serves; `unhealthy` and `leaving` answer 503. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'leaving';

/** What one check found. */
export interface CheckReport {
  readonly status: 'healthy' | 'unhealthy';
  readonly durationMs: number;
  readonly error?: string;
}

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

/** The health of one service: runs the checks, at most one round at a time, and keeps the result for a moment. */
export class Health {
  readonly #identity: Identity;
  readonly #options: Required<Omit<HealthOptions, 'onChange'>> & Pick<HealthOptions, 'onChange'>;
  #round: { readonly at: number; readonly checks: Promise<HealthReport['checks']> } | undefined;
  #leaving = false;
  #last: HealthStatus = 'healthy';

  constructor(identity: Identity, options: HealthOptions = {}) {
    this.#identity = identity;
    this.#options = { checks: {}, timeoutMs: 2000, cacheMs: 1000, clock: performance, ...options };
    for (const name of ['timeoutMs', 'cacheMs'] as const) {
      const value = this.#options[name];
      if (!(value >= 0)) throw new RangeError(`health: ${name} must be a number >= 0, got ${value}`);
    }
  }

  /** True once {@link leave} was called. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** From now on the status is `leaving`: whoever asks should send no more work. */
  leave(): void {
    this.#leaving = true;
  }

  /** The state now, or at most `cacheMs` ago. Never rejects. */
  async report(): Promise<HealthReport> {
    const checks = await this.#checks();
    const status = this.#leaving ? 'leaving' : statusOf(checks, this.#options.checks);
    if (status !== this.#last) {
      this.#last = status;
      this.#options.onChange?.(status, checks);
    }
    return {
      status,
      ...this.#identity,
      timestamp: new Date().toISOString(),
      uptime: Math.round(process.uptime() * 1000) / 1000,
      checks,
    };
  }

  #checks(): Promise<HealthReport['checks']> {
    const now = this.#options.clock.now();
    if (this.#round === undefined || now >= this.#round.at) {
      const round = { at: Infinity, checks: this.#look() };
      this.#round = round;
      void round.checks.then(() => (round.at = this.#options.clock.now() + this.#options.cacheMs));
    }
    return this.#round.checks;
  }

  async #look(): Promise<HealthReport['checks']> {
    const { checks, timeoutMs, clock } = this.#options;
    const reports = Object.entries(checks).map(
      async ([name, check]) => [name, await run(check, timeoutMs, clock)] as const,
    );
    return Object.fromEntries(await Promise.all(reports));
  }
}

function statusOf(
  reports: HealthReport['checks'],
  checks: Readonly<Record<string, HealthCheck>>,
): HealthStatus {
  const sick = Object.keys(reports).filter((name) => reports[name]?.status === 'unhealthy');
  if (sick.length === 0) return 'healthy';
  return sick.every((name) => isOptional(checks[name])) ? 'degraded' : 'unhealthy';
}

function isOptional(check: HealthCheck | undefined): boolean {
  return typeof check === 'object' && check.critical === false;
}

/** One check with a deadline. A check that ignores its signal is left behind, not waited for. */
async function run(check: HealthCheck, timeoutMs: number, clock: { now(): number }): Promise<CheckReport> {
  const probe = typeof check === 'function' ? check : check.run;
  const startedAt = clock.now();
  const durationMs = () => Math.round(clock.now() - startedAt);
  try {
    await withDeadline(probe, timeoutMs);
    return { status: 'healthy', durationMs: durationMs() };
  } catch (error) {
    return { status: 'unhealthy', durationMs: durationMs(), error: messageOf(error) };
  }
}

function withDeadline(probe: HealthProbe, timeoutMs: number): Promise<void> {
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`));
      controller.abort();
    }, timeoutMs);
    const attempt = async () => {
      await probe(controller.signal);
    };
    attempt()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
      });
  });
}

function messageOf(error: unknown): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return String(message).slice(0, 200) || 'failed';
}
