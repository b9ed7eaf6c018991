import type { TraceContext } from '@mesh/trace-context';
import type { Dispatcher } from 'undici';
import type { CallPolicy } from './call-policy.ts';
import { durationMs } from './options.ts';

/** Key under which a {@link CallContext} travels on undici's dispatch options. */
export const callContext: unique symbol = Symbol.for('@mesh/service-client.callContext');

/** What a caller may say about its call. */
export interface CallWishes {
  /** Span of the call; each attempt becomes its child. Default: taken from the request's headers, else new. */
  trace?: TraceContext | undefined;
  /** Deadline over all attempts and the body, in milliseconds; 0 = none. Default: the policy's. */
  timeoutMs?: number | undefined;
  /** The same as a point in time of `performance.now()`; the earlier of the two holds. */
  deadlineAt?: number | undefined;
  /** What hashing strategies go by: calls with the same key go to the same instance. */
  key?: string | undefined;
  /** Id of the instance that is asked when it can be: a sticky session. */
  prefer?: string | undefined;
  /** Only instances whose metadata has these values may be asked, `version` included: canary releases, A/B tests. */
  where?: Readonly<Record<string, string>> | undefined;
  /** Class of the route: each instance then has a circuit for it of its own, so that one bad route does not close the others. */
  routeClass?: string | undefined;
  /** Limits and retries of this call, made once by `callPolicy()`; what it leaves out is the service's. */
  policy?: CallPolicy | undefined;
}

/** What `retry()`, `services()` and the caller know together about one call; created anew for each call. */
export interface CallContext extends CallWishes {
  /** Ids of the instances that this call has asked, undefined before the second attempt; cleared only when none else is left. */
  tried?: Set<string> | undefined;
  /** Id of the instance that was asked last. */
  instance?: string | undefined;
  /** How many instances have been asked so far, repetitions included. */
  attempts: number;
  /** Whether another instance is left: not tried yet, and its circuit lets a request pass. Told by a `services()` without retry of its own. */
  othersLeft?: boolean | undefined;
  /** Whether the last attempt had been written when it failed; told like `othersLeft`. */
  sent?: boolean | undefined;
}

/** undici's dispatch options with the context of a call on them. */
export type ServiceDispatchOptions = Dispatcher.DispatchOptions & { [callContext]?: CallContext };

/** A fresh context for one call. @throws RangeError when `timeoutMs` is out of range or `deadlineAt` is no number. */
export function createCallContext(wishes: CallWishes = {}): CallContext {
  const { timeoutMs, deadlineAt } = wishes;
  if (timeoutMs !== undefined) durationMs('timeoutMs', timeoutMs);
  if (deadlineAt !== undefined && Number.isNaN(deadlineAt))
    throw new RangeError(`serviceClient: deadlineAt must be a number, got ${deadlineAt}`);
  return new PlainContext(wishes);
}

/** All fields from the start: a context that grows while it travels would cost more than the rest of it. */
class PlainContext implements CallContext {
  trace: TraceContext | undefined;
  timeoutMs: number | undefined;
  deadlineAt: number | undefined;
  key: string | undefined;
  prefer: string | undefined;
  where: Readonly<Record<string, string>> | undefined;
  routeClass: string | undefined;
  policy: CallPolicy | undefined;
  tried: Set<string> | undefined = undefined;
  instance: string | undefined = undefined;
  attempts = 0;
  othersLeft: boolean | undefined = undefined;
  sent: boolean | undefined = undefined;

  constructor(wishes: CallWishes) {
    this.trace = wishes.trace;
    this.timeoutMs = wishes.timeoutMs;
    this.deadlineAt = wishes.deadlineAt;
    this.key = wishes.key;
    this.prefer = wishes.prefer;
    this.where = wishes.where;
    this.routeClass = wishes.routeClass;
    this.policy = wishes.policy;
  }
}

/** The context on dispatch options, if a caller or `retry()` has put one there. */
export function contextOf(options: ServiceDispatchOptions): CallContext | undefined {
  return options[callContext];
}
