/** What one pick and its done() cost, by strategy and number of endpoints. */
import { contest } from '../../../tools/contest.mts';
import { LoadBalancer } from '../src/index.ts';
import type { StrategyName } from '../src/index.ts';

const strategies: readonly StrategyName[] = [
  'adaptive',
  'random',
  'round-robin',
  'weighted',
  'least-connections',
];
const sizes = [3, 100, 1000] as const;
const answered = { outcome: 'success', latencyMs: 5 } as const;

function contender(strategy: StrategyName, size: number) {
  const balancer = new LoadBalancer({ strategy });
  balancer.update(
    Array.from({ length: size }, (_, at) => ({ id: `10.0.0.1:${4000 + at}`, available: true })),
  );
  return {
    name: `${strategy}, n = ${size}`,
    run(iterations: number) {
      for (let at = 0; at < iterations; at++) balancer.pick()?.done(answered);
    },
  };
}

for (const strategy of strategies) {
  await contest(
    `pick() and done(), ${strategy}`,
    sizes.map((size) => contender(strategy, size)),
    [{ of: `${strategy}, n = 1000`, against: `${strategy}, n = 3`, atMost: 2 }],
  );
}

await contest(
  'pick() and done(), one of 1000 available: the whole set is looked at',
  strategies.map((strategy) => {
    const balancer = new LoadBalancer({ strategy });
    balancer.update(Array.from({ length: 1000 }, (_, at) => ({ id: `e${at}`, available: at === 613 })));
    return {
      name: strategy,
      run(iterations: number) {
        for (let at = 0; at < iterations; at++) balancer.pick()?.done(answered);
      },
    };
  }),
);

await contest(
  'update() with 1000 endpoints',
  strategies.map((strategy) => {
    const balancer = new LoadBalancer({ strategy });
    const endpoints = Array.from({ length: 1000 }, (_, at) => ({ id: `e${at}`, weight: 1 + (at % 7) }));
    return {
      name: strategy,
      run(iterations: number) {
        for (let at = 0; at < iterations; at++) balancer.update(endpoints);
      },
    };
  }),
);
