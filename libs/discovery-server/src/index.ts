export { Registry } from './registry.ts';
