import type { TraceContext } from '@mesh/trace-context';
import { wholeNumber } from '../range.ts';

/** What {@link TraceLog} takes. */
export interface TraceLogOptions {
  /** How many exchanges are kept, 0 to 10 000; 0: none. Default 200. */
  readonly capacity?: number;
  /** Longest path that is kept, in characters. Default 512. */
  readonly maxPathLength?: number;
  /** Whether query strings are kept; what they hold may be personal. Default false. */
  readonly keepQuery?: boolean;
}

/** One exchange, as it is noted. Its numbers are in ms and bytes. */
export interface TraceEntry {
  trace: TraceContext;
  /** When it began, in ms of `performance`. */
  beganAt: number;
  method: string;
  path: string;
  route: string;
  service: string;
  /** Id of the instance that answered; `''`: none did. */
  instance: string;
  attempts: number;
  /** Of the answer; 0: the client left before it. */
  status: number;
  durationMs: number;
  /** From the beginning until the stages had let it pass. */
  stagesMs: number;
  /** From the beginning to the head of the answer; -1: there was none. */
  headMs: number;
  bytesSent: number;
  bytesReceived: number;
  /** Code of the problem that was answered; `''`: none was. */
  code: string;
  /** What the cache did, `''` without one. */
  cache: string;
}

/** One exchange, as it is told. */
export interface ExchangeTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly requestId: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly method: string;
  readonly path: string;
  readonly route: string;
  readonly service: string;
  readonly instance: string | null;
  readonly attempts: number;
  /** 0 for a client that left before its answer. */
  readonly status: number;
  readonly durationMs: number;
  /** Where the time went, in ms: the stages of the gateway, the wait for the head of the answer, its body. */
  readonly phases: {
    readonly stages: number | null;
    readonly wait: number | null;
    readonly body: number | null;
  };
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly code: string | null;
  readonly cache: string | null;
}

/** Which exchanges are asked for; all of it must hold. */
export interface TraceFilter {
  readonly traceId?: string | undefined;
  readonly service?: string | undefined;
  /** A status, or the first digit of a class: 5 for 500 to 599. */
  readonly status?: number | undefined;
  readonly minDurationMs?: number | undefined;
  /** Default: all that is kept. */
  readonly limit?: number | undefined;
}

const noTrace: TraceContext = { traceId: '', spanId: '', requestId: '', sampled: false };

/**
 * The last exchanges of a gateway, in memory. Entries are made once and filled again and again, so that noting one makes no garbage;
 * what is told is made when somebody asks. Neither bodies nor headers are in it. It holds at most `capacity` entries, each with
 * strings of one request's head.
 *
 * @throws RangeError when an option is out of range.
 */
export class TraceLog {
  readonly #entries: TraceEntry[] = [];
  readonly #capacity: number;
  readonly #maxPathLength: number;
  readonly #keepQuery: boolean;
  #next = 0;

  constructor({ capacity = 200, maxPathLength = 512, keepQuery = false }: TraceLogOptions = {}) {
    this.#capacity = wholeNumber('traceLog: capacity', capacity, 0);
    if (capacity > 10_000)
      throw new RangeError(`traceLog: capacity must be an integer <= 10000, got ${capacity}`);
    this.#maxPathLength = wholeNumber('traceLog: maxPathLength', maxPathLength, 1);
    this.#keepQuery = keepQuery;
  }

  /** The entry to fill next: the oldest, emptied. Undefined when nothing is kept. Fill it before anything else runs. */
  take(): TraceEntry | undefined {
    if (this.#capacity === 0) return undefined;
    const at = this.#next;
    this.#next = (at + 1) % this.#capacity;
    const entry = this.#entries[at];
    if (entry === undefined) return (this.#entries[at] = empty({} as TraceEntry));
    return empty(entry);
  }

  /** The exchanges that a filter lets through, newest first. */
  read({ limit = this.#capacity, ...filter }: TraceFilter = {}): ExchangeTrace[] {
    const found: ExchangeTrace[] = [];
    const count = this.#entries.length;
    for (let back = 1; back <= count && found.length < limit; back++) {
      const entry = this.#entries[(this.#next - back + count) % count];
      if (entry !== undefined && isWanted(entry, filter)) found.push(this.#tell(entry));
    }
    return found;
  }

  #tell(entry: TraceEntry): ExchangeTrace {
    const { trace, stagesMs, headMs, durationMs } = entry;
    return {
      traceId: trace.traceId,
      spanId: trace.spanId,
      ...(trace.parentSpanId !== undefined && { parentSpanId: trace.parentSpanId }),
      requestId: trace.requestId,
      startedAt: new Date(performance.timeOrigin + entry.beganAt).toISOString(),
      method: entry.method,
      path: this.#shownPath(entry.path),
      route: entry.route,
      service: entry.service,
      instance: entry.instance || null,
      attempts: entry.attempts,
      status: entry.status,
      durationMs: tenths(durationMs),
      phases: {
        stages: tenths(stagesMs),
        wait: headMs < 0 ? null : tenths(headMs - stagesMs),
        body: headMs < 0 ? null : tenths(durationMs - headMs),
      },
      bytes: { sent: entry.bytesSent, received: entry.bytesReceived },
      code: entry.code || null,
      cache: entry.cache || null,
    };
  }

  #shownPath(path: string): string {
    const query = path.indexOf('?');
    const shown = query < 0 || this.#keepQuery ? path : `${path.slice(0, query)}?...`;
    return shown.length > this.#maxPathLength ? `${shown.slice(0, this.#maxPathLength)}...` : shown;
  }
}

function isWanted(entry: TraceEntry, { traceId, service, status, minDurationMs = 0 }: TraceFilter): boolean {
  return (
    entry.durationMs >= minDurationMs &&
    (traceId === undefined || entry.trace.traceId === traceId) &&
    (service === undefined || entry.service === service) &&
    (status === undefined ||
      entry.status === status ||
      (status < 10 && Math.floor(entry.status / 100) === status))
  );
}

function empty(entry: TraceEntry): TraceEntry {
  entry.trace = noTrace;
  entry.beganAt = 0;
  entry.method = '';
  entry.path = '';
  entry.route = '';
  entry.service = '';
  entry.instance = '';
  entry.attempts = 0;
  entry.status = 0;
  entry.durationMs = 0;
  entry.stagesMs = 0;
  entry.headMs = -1;
  entry.bytesSent = 0;
  entry.bytesReceived = 0;
  entry.code = '';
  entry.cache = '';
  return entry;
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
