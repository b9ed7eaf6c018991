import type { TargetStatus } from '@mesh/health-monitor';
import { CallTally, type ObservedCall } from './call-tally.ts';
import type { HealthOverview, InstanceHealth } from './service-health.ts';

/** Options of a {@link RemoteMonitor}. */
export interface RemoteMonitorOptions {
  /** Address of the app that serves `healthServer`, without a path. */
  readonly url: string;
  /** Token of its guard (default none). */
  readonly token?: string;
  /** Between two exchanges, in milliseconds (default 2000). */
  readonly intervalMs?: number;
  /** Longest wait for an answer, in milliseconds (default 2000). */
  readonly timeoutMs?: number;
  /** Told when the monitor is lost (with the error) and when it is back. */
  readonly onChange?: (error: Error | undefined) => void;
}

/** One instance as the monitor sees it; figures over five minutes. */
export interface MonitoredInstance {
  readonly status: TargetStatus;
  /** ISO 8601: since when. */
  readonly since: string;
  /** 0 to 1; undefined while nothing is known. */
  readonly availability: number | undefined;
  readonly errorRate: number | undefined;
  readonly p95Ms: number | undefined;
}

/** One service as the monitor sees it. */
export interface MonitoredServiceView {
  readonly status: TargetStatus;
  /** By id. */
  readonly instances: Readonly<Record<string, MonitoredInstance>>;
}

/** What the monitor said last, and how old that is. */
export interface MonitorView {
  /** `unknown` before the first answer. */
  readonly status: 'connected' | 'disconnected' | 'unknown';
  /** Milliseconds since its last answer; undefined before the first. */
  readonly ageMs: number | undefined;
  /** By service. */
  readonly services: Readonly<Record<string, MonitoredServiceView>>;
}

/**
 * A health monitor in another process: gets told what calls came to, and tells how it sees the services. It asks in the background, so
 * looking at it never waits; when the monitor is away it shows what was known last.
 *
 * @example
 * const monitor = new RemoteMonitor({ url: 'http://localhost:3000' });
 * monitor.start();
 * monitor.record({ service: 'user-service', instance: 'user-1', ok: true, latencyMs: 12 });
 * monitor.getSnapshot().services['user-service']?.status;
 */
export class RemoteMonitor {
  readonly #options: Required<Omit<RemoteMonitorOptions, 'token' | 'onChange'>> & RemoteMonitorOptions;
  readonly #tally = new CallTally();
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #status: MonitorView['status'] = 'unknown';
  #services: MonitorView['services'] = {};
  #heardAt: number | undefined;

  /** @throws RangeError when an option is out of range, TypeError when the address is none. */
  constructor(options: RemoteMonitorOptions) {
    const { intervalMs = 2000, timeoutMs = 2000 } = options;
    for (const [name, value] of Object.entries({ intervalMs, timeoutMs })) {
      if (!(value > 0 && value < 2 ** 31))
        throw new RangeError(`remoteMonitor: ${name} must be > 0, got ${value}`);
    }
    this.#options = { ...options, url: new URL(options.url).origin, intervalMs, timeoutMs };
  }

  /** Counts a call; reported with the next exchange. */
  record(call: ObservedCall): void {
    if (!this.#ending.signal.aborted) this.#tally.add(call);
  }

  /** Exchanges from now on; does not keep the process. */
  start(): void {
    if (this.#ending.signal.aborted || this.#timer !== undefined) return;
    const again = (): void => {
      void this.exchange().finally(() => {
        if (!this.#ending.signal.aborted) this.#timer = setTimeout(again, this.#options.intervalMs).unref();
      });
    };
    this.#timer = setTimeout(again, 0).unref();
  }

  /** Reports what was counted and asks for the view. Never rejects; what could not be reported is lost, the next calls tell the same. */
  async exchange(): Promise<void> {
    try {
      const reports = this.#tally.take();
      if (reports.length > 0) await this.#ask('/health/samples', JSON.stringify({ reports }));
      const overview = await this.#ask('/health/services?window=5m&history=false');
      this.#services = viewOf((await overview.json()) as HealthOverview);
      this.#heardAt = performance.now();
      this.#become('connected');
    } catch (error) {
      this.#become('disconnected', error);
    }
  }

  getSnapshot(): MonitorView {
    const ageMs = this.#heardAt === undefined ? undefined : Math.round(performance.now() - this.#heardAt);
    return { status: this.#status, ageMs, services: this.#services };
  }

  /** Ends it; an exchange on its way is given up. */
  close(): void {
    this.#ending.abort();
    clearTimeout(this.#timer);
  }

  async #ask(path: string, body?: string): Promise<Response> {
    const { url, token, timeoutMs } = this.#options;
    const response = await fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.any([this.#ending.signal, AbortSignal.timeout(timeoutMs)]),
      ...(body !== undefined && { body }),
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new Error(`the health monitor answered ${response.status} to ${path}`);
  }

  #become(status: 'connected' | 'disconnected', error?: unknown): void {
    const before = this.#status;
    this.#status = status;
    if (status === before || this.#ending.signal.aborted) return;
    if (status === 'connected' && before === 'unknown') return;
    this.#options.onChange?.(status === 'connected' ? undefined : (error as Error));
  }
}

function viewOf({ services }: HealthOverview): MonitorView['services'] {
  return Object.fromEntries(
    services.map(({ name, status, instances }) => [
      name,
      {
        status,
        instances: Object.fromEntries(
          instances.map((instance) => [shortId(name, instance.id), seen(instance)]),
        ),
      },
    ]),
  );
}

/** The monitor's ids are unique among all services: `<service>:<id>`. */
function shortId(service: string, id: string): string {
  return id.startsWith(`${service}:`) ? id.slice(service.length + 1) : id;
}

function seen({ status, since, outcomes, latencyMs }: InstanceHealth): MonitoredInstance {
  const { availability, errorRate } = outcomes;
  return { status, since, availability, errorRate, p95Ms: latencyMs.p95 };
}
