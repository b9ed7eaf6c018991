export { fileStore } from './file-store.ts';
export { httpCheck, type HttpCheckOptions } from './http-check.ts';
export { processCheck } from './process-check.ts';
export { tcpCheck, type TcpAddress } from './tcp-check.ts';
export type { Lookup } from './node-api.ts';
