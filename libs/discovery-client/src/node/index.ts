export { createDiscoveryClient } from './create-discovery-client.ts';
export type { NodeDiscoveryClientOptions } from './create-discovery-client.ts';
export { DnsProvider } from './dns-provider.ts';
export { reachAddress } from './reach-address.ts';
export { snapshotFile } from './snapshot-file.ts';
