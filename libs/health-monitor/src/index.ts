export { healthMonitor } from './health-monitor.ts';
