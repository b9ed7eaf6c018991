export { discoveryServer } from './discovery-server.ts';
