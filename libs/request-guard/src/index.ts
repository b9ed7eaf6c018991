export { requestGuard } from './request-guard.ts';
export type { GuardedRequest, GuardOptions, Refusal, RequestGuard } from './request-guard.ts';
