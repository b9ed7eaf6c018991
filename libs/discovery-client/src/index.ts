export { discoveryClient } from './discovery-client.ts';
