import type { ExchangeNotes, Passage } from '../passage.ts';
import type { RouteMetrics, RouteSeries } from './route-metrics.ts';
import type { TraceLog } from './trace-log.ts';

/** Where what was observed goes to. */
export interface Observers {
  readonly metrics?: RouteMetrics | undefined;
  readonly traces?: TraceLog | undefined;
  /** Monotonic clock in ms. Default `performance`. */
  readonly clock?: { now(): number };
}

/** What is looked at of an exchange; a {@link Passage} has it. */
export interface Observed extends Pick<
  Passage,
  'request' | 'reply' | 'routeId' | 'service' | 'trace' | 'onEnd'
> {
  readonly call: { readonly instance?: string | undefined; readonly attempts: number } | undefined;
}

/**
 * What is seen of one passage, from its beginning to its end. Those who know more write it here on the way; at the end it is counted
 * and noted, once. The status is that of the answer on the wire, so a problem of the gateway and one of an instance look the same.
 */
export class Observation implements ExchangeNotes {
  /** Body bytes to the instance and from it. */
  bytesSent = 0;
  bytesReceived = 0;
  /** Code of the problem that was answered. */
  code = '';
  /** What the cache did: `hit`, `stale`, `miss` ... */
  cache = '';
  readonly #passage: Observed;
  readonly #observers: Observers;
  readonly #clock: { now(): number };
  readonly #series: RouteSeries | undefined;
  readonly #beganAt: number;
  #stagesMs = 0;
  #headMs = -1;

  /** Whoever has just read the clock gives its time along, here and below: reading it is most of what this costs. */
  constructor(passage: Observed, observers: Observers, nowMs?: number) {
    this.#passage = passage;
    this.#observers = observers;
    this.#clock = observers.clock ?? performance;
    this.#beganAt = nowMs ?? this.#clock.now();
    this.#series = observers.metrics?.begin(passage.routeId, passage.service);
    passage.onEnd(() => {
      this.#end();
    });
  }

  /** The stages have let the passage go on; only worth a look at the clock when one of them had to wait. */
  passed(nowMs = this.#clock.now()): void {
    this.#stagesMs = nowMs - this.#beganAt;
  }

  /** The head of the answer is here. */
  answered(nowMs = this.#clock.now()): void {
    this.#headMs = nowMs - this.#beganAt;
  }

  #end(): void {
    const durationMs = this.#clock.now() - this.#beganAt;
    const { raw } = this.#passage.reply;
    const status = raw.headersSent ? raw.statusCode : 0;
    const series = this.#series;
    if (series !== undefined) {
      series.bytesSent += this.bytesSent;
      series.bytesReceived += this.bytesReceived;
      series.end(status, durationMs, this.#passage.call?.instance ?? '');
    }
    this.#note(status, durationMs);
  }

  #note(status: number, durationMs: number): void {
    const entry = this.#observers.traces?.take();
    if (entry === undefined) return;
    const { request, trace, routeId, service, call } = this.#passage;
    entry.trace = trace;
    entry.beganAt = this.#beganAt;
    entry.method = request.method;
    entry.path = request.raw.url ?? '';
    entry.route = routeId;
    entry.service = service;
    entry.instance = call?.instance ?? '';
    entry.attempts = call?.attempts ?? 0;
    entry.status = status;
    entry.durationMs = durationMs;
    entry.stagesMs = this.#stagesMs;
    entry.headMs = this.#headMs;
    entry.bytesSent = this.bytesSent;
    entry.bytesReceived = this.bytesReceived;
    entry.code = this.code;
    entry.cache = this.cache;
  }
}
