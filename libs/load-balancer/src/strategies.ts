import { adaptivePolicy } from './adaptive.ts';
import { boundedLoadPolicy } from './bounded-load.ts';
import { leastConnectionsPolicy } from './least-connections.ts';
import { maglevPolicy } from './maglev.ts';
import { peakEwmaPolicy } from './peak-ewma.ts';
import type { PolicyFactory } from './policy.ts';
import { randomPolicy } from './random.ts';
import { rendezvousPolicy } from './rendezvous.ts';
import { ringHashPolicy } from './ring-hash.ts';
import { roundRobinPolicy } from './round-robin.ts';
import { weightedPolicy } from './weighted.ts';

/** A name of {@link strategies}. */
export type StrategyName =
  | 'adaptive'
  | 'random'
  | 'round-robin'
  | 'weighted'
  | 'least-connections'
  | 'peak-ewma'
  | 'ring-hash'
  | 'maglev'
  | 'rendezvous'
  | 'bounded-load';

/**
 * The algorithms by name. A table of your own that takes names from configuration is a spread away:
 *
 * @example
 * const known = { ...strategies, nearest };
 * new LoadBalancer({ strategy: known[name] });
 */
export const strategies: Readonly<Record<StrategyName, PolicyFactory>> = Object.freeze({
  adaptive: (tools) => adaptivePolicy(tools),
  random: randomPolicy,
  'round-robin': roundRobinPolicy,
  weighted: (tools) => weightedPolicy(tools),
  'least-connections': leastConnectionsPolicy,
  'peak-ewma': (tools) => peakEwmaPolicy(tools),
  'ring-hash': ringHashPolicy,
  maglev: maglevPolicy,
  rendezvous: rendezvousPolicy,
  'bounded-load': (tools) => boundedLoadPolicy(tools),
} satisfies Record<StrategyName, PolicyFactory>);

/** How one endpoint is chosen among several: by name, or by an algorithm of your own. */
export type Strategy = StrategyName | PolicyFactory;

/** @throws RangeError when there is no such strategy. */
export function factoryOf(strategy: Strategy): PolicyFactory {
  if (typeof strategy === 'function') return strategy;
  if (Object.hasOwn(strategies, strategy)) return strategies[strategy];
  throw new RangeError(
    `loadBalancer: strategy must be one of ${Object.keys(strategies).join(', ')} or a function, got ${JSON.stringify(strategy)}`,
  );
}
