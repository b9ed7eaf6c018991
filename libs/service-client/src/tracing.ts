import type { TraceContext } from '@mesh/trace-context';
import type { Address } from './transport.ts';

/** What a tracing system is told of an attempt that begins. */
export interface AttemptStart {
  readonly service: string;
  readonly instance: string;
  readonly address: Address;
  readonly method: string;
  readonly path: string;
  /** Span of the call: the parent of the attempt. */
  readonly trace: TraceContext;
  /** Attempts of the call before this one. */
  readonly resends: number;
}

/** The span of one attempt. */
export interface AttemptSpan {
  /** 16 lower-case hex digits: the instance gets it as its parent. */
  readonly spanId: string;
  /** The attempt is over, body included. */
  end(status: number | undefined, error: Error | undefined): void;
}

/** Where spans go. `@mesh/service-client/opentelemetry` is one. */
export interface Tracing {
  /** The span under which the caller is working now, if this system knows one. */
  current(): TraceContext | undefined;
  /** Begins a span, or says that nobody records. */
  begin(start: AttemptStart): AttemptSpan | undefined;
}
