export { FaultInjector, faultInjector, type FaultInjectorOptions } from './test-kit/fault-injector.ts';
export { seeded } from './test-kit/seeded.ts';
export { settle, VirtualTime, type VirtualTimeOptions } from './test-kit/virtual-time.ts';
