export { requestGuard } from './request-guard.ts';
