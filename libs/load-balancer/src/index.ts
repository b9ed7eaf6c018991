export { loadBalancer } from './load-balancer.ts';
