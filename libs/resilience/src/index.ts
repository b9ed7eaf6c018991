export { resilience } from './resilience.ts';
