import { platformClock, platformTimers, type Timers } from './clock.ts';
import { Dependency, type DependencyCheck, type DependencyReport, type ProbeKind } from './dependency.ts';

/**
 * What a service says of itself. `degraded` still serves; `starting`, `unhealthy` and `leaving` should get no work.
 */
export type SelfStatus = 'healthy' | 'degraded' | 'unhealthy' | 'starting' | 'leaving';

/** The answer to a probe, as JSON. */
export interface SelfReport {
  readonly status: SelfStatus;
  readonly service: string;
  /** ISO 8601, when it was asked for. */
  readonly timestamp: string;
  /** Seconds since the health was made. */
  readonly uptime: number;
  readonly checks: Readonly<Record<string, DependencyReport>>;
}

/** Options of {@link SelfHealth}. */
export interface SelfHealthOptions {
  readonly service: string;
  /** By name. Default: none, so it is healthy while it runs. */
  readonly checks?: Readonly<Record<string, DependencyCheck>>;
  /** Longest that one check may take, in milliseconds. Default 2000. */
  readonly timeoutMs?: number;
  /** How long a result is used again, in milliseconds. Default 1000. */
  readonly cacheMs?: number;
  /** Hears of every change of the readiness. */
  readonly onChange?: (status: SelfStatus, checks: SelfReport['checks']) => void;
  /** Monotonic, in milliseconds. Default: the platform's. */
  readonly clock?: { now(): number };
  /** Default: the platform's. */
  readonly timers?: Timers;
}

interface Named {
  readonly name: string;
  readonly critical: boolean;
  readonly kinds: readonly ProbeKind[];
  readonly dependency: Dependency;
}

/**
 * Liveness, readiness and startup of one service.
 *
 * ```
 *   starting --all startup checks passed once--> healthy <--> degraded <--> unhealthy --leave()--> leaving
 * ```
 *
 * Liveness asks only the checks that say so (a process that cannot reach its database is not helped by a restart), and leaving is no reason to be
 * killed. A startup that has passed stays passed.
 */
export class SelfHealth {
  readonly #service: string;
  readonly #checks: readonly Named[];
  readonly #onChange: SelfHealthOptions['onChange'];
  readonly #clock: { now(): number };
  readonly #startedAt: number;
  #hasStarted: boolean;
  #leaving = false;
  #last: SelfStatus = 'healthy';

  /** @throws RangeError naming the option and its value. */
  constructor(options: SelfHealthOptions) {
    const { checks = {}, clock = platformClock, timers = platformTimers } = options;
    const times = { timeoutMs: options.timeoutMs ?? 2000, cacheMs: options.cacheMs ?? 1000 };
    checkTimes(times);
    this.#service = options.service;
    this.#onChange = options.onChange;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#checks = Object.entries(checks).map(([name, check]) =>
      named(name, check, { ...times, clock, timers }),
    );
    this.#hasStarted = this.#of('startup').length === 0;
  }

  /** True once {@link leave} was called. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** From now on it is `leaving`: whoever asks should send no more work. */
  leave(): void {
    this.#leaving = true;
  }

  /** The state now, or at most `cacheMs` ago. Default kind `readiness`. Never rejects. */
  async report(kind: ProbeKind = 'readiness'): Promise<SelfReport> {
    const hasStarted = kind === 'liveness' || this.#hasStarted || (await this.#start());
    const asked = this.#of(hasStarted ? kind : 'startup');
    const checks = kind === 'startup' && hasStarted ? {} : await reportsOf(asked);
    const status = this.#statusOf(kind, hasStarted, asked, checks);
    if (kind === 'readiness') this.#tell(status, checks);
    return {
      status,
      service: this.#service,
      timestamp: new Date().toISOString(),
      uptime: Math.round(this.#clock.now() - this.#startedAt) / 1000,
      checks,
    };
  }

  async #start(): Promise<boolean> {
    const reports = Object.values(await reportsOf(this.#of('startup')));
    this.#hasStarted ||= reports.every(({ status }) => status === 'healthy');
    return this.#hasStarted;
  }

  #of(kind: ProbeKind): readonly Named[] {
    return this.#checks.filter(({ kinds }) => kinds.includes(kind));
  }

  #statusOf(
    kind: ProbeKind,
    hasStarted: boolean,
    asked: readonly Named[],
    reports: SelfReport['checks'],
  ): SelfStatus {
    if (kind === 'readiness' && this.#leaving) return 'leaving';
    if (!hasStarted) return 'starting';
    const sick = asked.filter(({ name }) => reports[name]?.status === 'unhealthy');
    if (sick.length === 0) return 'healthy';
    return sick.some(({ critical }) => critical) ? 'unhealthy' : 'degraded';
  }

  #tell(status: SelfStatus, checks: SelfReport['checks']): void {
    if (status === this.#last) return;
    this.#last = status;
    this.#onChange?.(status, checks);
  }
}

/** 200 for who should get work (or stay alive), else 503. */
export const statusCodeOf = ({ status }: Pick<SelfReport, 'status'>): 200 | 503 =>
  status === 'healthy' || status === 'degraded' ? 200 : 503;

function named(
  name: string,
  check: DependencyCheck,
  defaults: Omit<ConstructorParameters<typeof Dependency>[0], 'probe'>,
): Named {
  if (typeof check === 'function') {
    return {
      name,
      critical: true,
      kinds: ['readiness'],
      dependency: new Dependency({ ...defaults, probe: check }),
    };
  }
  const { run, critical = true, kinds = ['readiness'], ...own } = check;
  const { timeoutMs = defaults.timeoutMs, cacheMs = defaults.cacheMs } = own;
  checkTimes({ timeoutMs, cacheMs });
  const dependency = new Dependency({ ...defaults, timeoutMs, cacheMs, probe: run });
  return { name, critical, kinds, dependency };
}

async function reportsOf(all: readonly Named[]): Promise<SelfReport['checks']> {
  const reports = all.map(async ({ name, dependency }) => [name, await dependency.report()] as const);
  return Object.fromEntries(await Promise.all(reports));
}

function checkTimes(times: Readonly<Record<'timeoutMs' | 'cacheMs', number>>): void {
  for (const [name, value] of Object.entries(times)) {
    if (!(value >= 0)) throw new RangeError(`health: ${name} must be a number >= 0, got ${value}`);
  }
}
