/** What the contenders do, by name; each runs in a thread of its own, see `isolated.ts`. */
import { LoadBalancer, strategies } from '../src/index.ts';
import type { Candidate, PickRequest, PolicyFactory, Strategy, StrategyName } from '../src/index.ts';
import { moleculer } from './moleculer.ts';
import { stridePolicy } from './stride.ts';

/** A contender by name and size. */
export interface Task {
  readonly kind: 'pick and done' | 'policy alone' | 'moleculer';
  readonly name: string;
  readonly size: number;
  /** Weights from 1 to this; default all equal. */
  readonly heaviest?: number;
}

const answered = { outcome: 'success', latencyMs: 5 } as const;
/** More than the 1000 that moleculer's Shard caches. */
const keys = Array.from({ length: 4096 }, (_, at) => ({ key: `user-${at * 7919}` }));
const params = keys.map(({ key }) => ({ params: { id: key } }));
const hashing = ['maglev', 'ring-hash', 'bounded-load', 'rendezvous'];

export function endpoints(size: number, heaviest = 1) {
  return Array.from({ length: size }, (_, at) => ({
    id: `10.0.${at >> 8}.${at & 255}:4000`,
    available: true,
    weight: 1 + (at % heaviest),
  }));
}

/** The loop to be timed. */
export function loopOf({ kind, name, size, heaviest }: Task): (iterations: number) => void {
  if (kind === 'moleculer') {
    const list = moleculer(name as Parameters<typeof moleculer>[0], size);
    let turn = 0;
    return (iterations) => {
      for (let at = 0; at < iterations; at++) list.next(params[turn++ & 4095]);
    };
  }
  const strategy: Strategy = name === 'stride' ? stridePolicy : (name as StrategyName);
  if (kind === 'policy alone') return alone(strategy, size, heaviest);
  const balancer = new LoadBalancer({ strategy });
  balancer.update(endpoints(size, heaviest));
  const isKeyed = hashing.includes(name);
  let turn = 0;
  return (iterations) => {
    if (isKeyed) for (let at = 0; at < iterations; at++) balancer.pick(keys[turn++ & 4095])?.done(answered);
    else for (let at = 0; at < iterations; at++) balancer.pick()?.done(answered);
  };
}

/** The algorithm without a lease, as the goals of issue 4 and the prototypes behind them mean it. */
function alone(strategy: Strategy, size: number, heaviest: number | undefined) {
  const factory: PolicyFactory = typeof strategy === 'function' ? strategy : strategies[strategy];
  const policy = factory({ random: Math.random });
  const set = endpoints(size, heaviest).map(({ id, weight }) => candidate(id, weight, policy.track?.(id)));
  const picker = policy.build(set);
  let hash = 1;
  const request: PickRequest<Candidate> = {
    accepts: () => true,
    get hash() {
      return (hash = (hash + 0x9e3779b9) >>> 0);
    },
    nowMs: 5,
  };
  return (iterations: number) => {
    for (let at = 0; at < iterations; at++) if (picker.pick(request) === undefined) throw new Error('nobody');
  };
}

function candidate<T>(id: string, weight: number, tracker: T): Candidate<T> {
  return {
    id,
    weight,
    warmRatio: 1,
    inflight: 0,
    pressure: 0,
    latencyMs: 5,
    oldestStartMs: Infinity,
    tracker,
  };
}
