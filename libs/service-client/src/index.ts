export { serviceClient } from './service-client.ts';
