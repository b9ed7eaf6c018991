import { leastConnectionsPolicy } from './least-connections.ts';
import type { Policy, Random } from './picker.ts';
import { randomPolicy } from './random.ts';
import { roundRobinPolicy } from './round-robin.ts';
import { weightedPolicy } from './weighted.ts';

/** How one endpoint is chosen among several; `weighted` means by weight and response time. */
export type Strategy = 'random' | 'round-robin' | 'weighted' | 'least-connections';

const policies: Readonly<Record<Strategy, (random: Random) => Policy>> = {
  random: randomPolicy,
  'round-robin': roundRobinPolicy,
  weighted: weightedPolicy,
  'least-connections': leastConnectionsPolicy,
};

/** @throws RangeError when there is no such strategy. */
export function policyOf(strategy: Strategy, random: Random): Policy {
  if (Object.hasOwn(policies, strategy)) return policies[strategy](random);
  throw new RangeError(
    `loadBalancer: strategy must be one of ${Object.keys(policies).join(', ')}, got ${JSON.stringify(strategy)}`,
  );
}
