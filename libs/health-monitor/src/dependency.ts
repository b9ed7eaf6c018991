import { messageOf } from './check.ts';
import type { Timers } from './clock.ts';
import { abortController, type CheckSignal } from './signal.ts';

/** What an orchestrator asks: is it alive, may it get work, has it started. */
export type ProbeKind = 'liveness' | 'readiness' | 'startup';

/** Looks at one dependency; throws (or rejects) when it is sick. The signal aborts when its time is over. */
export type DependencyProbe = (signal: CheckSignal) => unknown;

/** Something that a service needs. */
export type DependencyCheck =
  | DependencyProbe
  | {
      readonly run: DependencyProbe;
      /** Whether the service cannot do without it; else it is `degraded` and not `unhealthy`. Default true. */
      readonly critical?: boolean;
      /** Which probes ask for it. Default `['readiness']`. */
      readonly kinds?: readonly ProbeKind[];
      /** Longest that it may take, in milliseconds. Default: that of the health. */
      readonly timeoutMs?: number;
      /** How long a result is used again, in milliseconds. Default: that of the health. */
      readonly cacheMs?: number;
    };

/** What was found. */
export interface DependencyReport {
  readonly status: 'healthy' | 'unhealthy';
  readonly durationMs: number;
  readonly error?: string;
}

/** How a dependency is looked at, complete. */
export interface DependencySettings {
  readonly probe: DependencyProbe;
  readonly timeoutMs: number;
  readonly cacheMs: number;
  readonly clock: { now(): number };
  readonly timers: Timers;
}

/** One dependency: at most one look at a time, and its result for a while, so that a storm of probes is one look. */
export class Dependency {
  readonly #settings: DependencySettings;
  #look: { until: number; readonly report: Promise<DependencyReport> } | undefined;

  constructor(settings: DependencySettings) {
    this.#settings = settings;
  }

  /** Never rejects. */
  report(): Promise<DependencyReport> {
    const { clock, cacheMs } = this.#settings;
    if (this.#look !== undefined && clock.now() < this.#look.until) return this.#look.report;
    const look = { until: Infinity, report: this.#ask() };
    this.#look = look;
    void look.report.then(() => (look.until = clock.now() + cacheMs));
    return look.report;
  }

  async #ask(): Promise<DependencyReport> {
    const { clock } = this.#settings;
    const startedAt = clock.now();
    const durationMs = (): number => Math.round(clock.now() - startedAt);
    try {
      await this.#inTime();
      return { status: 'healthy', durationMs: durationMs() };
    } catch (error) {
      return { status: 'unhealthy', durationMs: durationMs(), error: messageOf(error) };
    }
  }

  /** A probe that ignores its signal is left behind, not waited for. */
  async #inTime(): Promise<void> {
    const { probe, timeoutMs, timers } = this.#settings;
    const controller = abortController();
    let timer: unknown;
    const tooLate = new Promise((_, reject) => {
      timer = timers.setTimeout(() => {
        const error = new Error(`no answer within ${timeoutMs} ms`);
        reject(error);
        controller.abort(error);
      }, timeoutMs);
    });
    try {
      await Promise.race([
        (async () => {
          await probe(controller.signal);
        })(),
        tooLate,
      ]);
    } finally {
      timers.clearTimeout(timer);
    }
  }
}
