export { problem } from './problem.ts';
