export type { AbortSignalLike, CallSignal } from './abort-signal.ts';
export { Call, type Attempt, type CallContext, type CallFunction, type CallResult } from './call.ts';
export { Pipeline, pipeline } from './pipeline.ts';
export type { Next, OutOf, Policy } from './policy.ts';
export { Protection, type AsyncMethod, type ExecuteOptions, type WrapOptions } from './protection.ts';
export type { Clock, Random, Timers } from './time.ts';
