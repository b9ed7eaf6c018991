import { adaptivePolicy } from './adaptive.ts';
import { leastConnectionsPolicy } from './least-connections.ts';
import type { PolicyFactory } from './policy.ts';
import { randomPolicy } from './random.ts';
import { roundRobinPolicy } from './round-robin.ts';
import { weightedPolicy } from './weighted.ts';

/**
 * The algorithms by name. A registry of your own that takes names from configuration is a spread away:
 *
 * @example
 * const known = { ...strategies, nearest };
 * new LoadBalancer({ strategy: known[name] });
 */
export const strategies = Object.freeze({
  adaptive: adaptivePolicy,
  random: randomPolicy,
  'round-robin': roundRobinPolicy,
  weighted: weightedPolicy,
  'least-connections': leastConnectionsPolicy,
}) satisfies Readonly<Record<string, PolicyFactory>>;

/** A name of {@link strategies}. */
export type StrategyName = keyof typeof strategies;

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
