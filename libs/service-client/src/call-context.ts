import type { TraceContext } from '@mesh/trace-context';
import type { Dispatcher } from 'undici';
import { durationMs } from './options.ts';

/** Key under which a {@link CallContext} travels on undici's dispatch options. */
export const callContext: unique symbol = Symbol.for('@mesh/service-client.callContext');

/** What `retry()`, `services()` and the caller know together about one call; created anew for each call. */
export interface CallContext {
  /** Ids of the instances that this call has asked; cleared only when none else is left. */
  readonly tried: Set<string>;
  /** Id of the instance that was asked last. */
  instance?: string;
  /** How many instances have been asked so far, repetitions included. */
  attempts: number;
  /** Whether another instance is left: not tried yet, and its circuit lets a request pass; undefined without `services()`. */
  othersLeft?: boolean;
  /** Span of the call; each attempt becomes its child. Default: taken from the request's headers, else new. */
  trace?: TraceContext;
  /** Deadline over all attempts and the body, in milliseconds. Default: none. */
  timeoutMs?: number;
  /** What hashing strategies go by: calls with the same key go to the same instance. */
  key?: string;
  /** Id of the instance that is asked when it can be: a sticky session. */
  prefer?: string;
}

/** What a caller may say about its call. */
export type CallWishes = Pick<CallContext, 'trace' | 'timeoutMs' | 'key' | 'prefer'>;

/** undici's dispatch options with the context of a call on them. */
export type ServiceDispatchOptions = Dispatcher.DispatchOptions & { [callContext]?: CallContext };

/** A fresh context for one call. @throws RangeError when `timeoutMs` is out of range. */
export function createCallContext(init: CallWishes = {}): CallContext {
  durationMs('timeoutMs', init.timeoutMs ?? 0);
  return { tried: new Set(), attempts: 0, ...init };
}

/** The context on dispatch options, if a caller or `retry()` has put one there. */
export function contextOf(options: ServiceDispatchOptions): CallContext | undefined {
  return options[callContext];
}
