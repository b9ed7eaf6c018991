export { serviceKit } from './service-kit.ts';
