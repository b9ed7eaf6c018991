/** The strategies of moleculer (devDependency), asked as its own calls ask them: `EndpointList.next(context)`. */
import { ServiceBroker, Strategies } from 'moleculer';

interface EndpointList {
  next(context: unknown): { readonly id: string } | null;
  readonly strategy: { readonly hostAvgLatency?: Map<string, number> };
}

interface ActionCatalog {
  add(node: object, service: object, action: object): EndpointList;
}

const strategies = {
  RoundRobin: Strategies.RoundRobin,
  Random: Strategies.Random,
  Latency: Strategies.Latency,
  Shard: Strategies.Shard,
} as const;

/** A list of so many remote endpoints. Every node is a host of its own and answers pings in 11 to 50 ms. */
export function moleculer(name: keyof typeof strategies, size: number): EndpointList {
  const broker = new ServiceBroker({
    nodeID: 'caller',
    logger: false,
    registry: { strategy: strategies[name], strategyOptions: { shardKey: 'id' }, preferLocal: false },
  });
  const { actions } = broker.registry as unknown as { actions: ActionCatalog };
  const nodes = Array.from({ length: size }, (_, at) => ({ id: `node-${at}`, hostname: `host-${at}` }));
  let list: EndpointList | undefined;
  for (const node of nodes) list = actions.add(node, { name: 'users' }, { name: 'users.get' });
  if (list === undefined) throw new RangeError(`size must be at least 1, got ${size}`);
  nodes.forEach(({ hostname }, at) => list.strategy.hostAvgLatency?.set(hostname, 11 + ((at * 7) % 40)));
  return list;
}
