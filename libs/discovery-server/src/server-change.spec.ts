import { afterEach, expect, test } from '@jest/globals';
import { DiscoveryClient } from '@mesh/discovery-client';
import type { DiscoveryClientOptions, Instance } from '@mesh/discovery-client';
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { discoveryServer } from './discovery-server.ts';
import { Liveness } from './liveness.ts';
import { Registry } from './registry.ts';

/** Milliseconds that a change takes from one server to the other. */
const lagMs = 15;

interface Server {
  readonly registry: Registry;
  readonly app: FastifyInstance;
  readonly url: string;
}

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server of several that share what they know; with a fresh epoch each, as after a restart. */
async function startServer(known: Registry | undefined, port = 0): Promise<Server> {
  const registry = new Registry();
  for (const stored of known?.stored() ?? []) registry.adopt(stored, false);
  const app = Fastify({ forceCloseConnections: true });
  // Nobody listens at the addresses of this test.
  const liveness = new Liveness(registry, { reach: () => Promise.resolve('answered'), probe: false });
  await app.register(discoveryServer, { registry, liveness });
  const url = await app.listen({ port, host: '127.0.0.1' });
  closers.push(async () => {
    await app.close();
    liveness.close();
    registry.close();
  });
  return { registry, app, url };
}

/** What a server was told is not told back. */
let isEcho = false;

/** Tells one server what changes at another, a while later and in order, as a shared store does. */
function mirror(from: Registry, to: () => Registry): void {
  from.subscribe((change) => {
    if (isEcho) return;
    const stored =
      change.type === 'upsert' ? from.storedInstance(change.service, change.instance.id) : undefined;
    setTimeout(() => {
      const target = to();
      isEcho = true;
      if (stored !== undefined) target.adopt(stored, false);
      else if (change.type === 'remove') {
        const { service, id, reason } = change;
        const incarnation = target.storedInstance(service, id)?.instance.incarnation;
        if (incarnation !== undefined) target.remove({ service, id, incarnation }, reason);
      }
      isEcho = false;
    }, lagMs);
  });
}

function connect(options: DiscoveryClientOptions): DiscoveryClient {
  const client = new DiscoveryClient({ requestTimeout: 2000, ...options });
  closers.push(() => client.close());
  return client;
}

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const idsOf = (instances: readonly Instance[] = []): string[] => instances.map(({ id }) => id).sort();

test('a watcher that has to change servers loses nobody, sees nobody flap, and goes on hearing of changes', async () => {
  const servers: [Server, Server] = [await startServer(undefined), await startServer(undefined)];
  const link = (at: 0 | 1): void => {
    mirror(servers[at].registry, () => servers[1 - at]!.registry);
  };
  link(0);
  link(1);
  const serverUrl = servers.map(({ url }) => url);
  const service = connect({ serverUrl });
  const living = new Set<string>();
  for (const port of [4001, 4002, 4003]) {
    living.add((await service.register({ name: 'user-service', port })).instance.id);
  }

  const lists: string[][] = [];
  let [opened, lost] = [0, 0];
  const caller = connect({
    serverUrl,
    onEvent: (event) => {
      if (event.type === 'changed') lists.push(idsOf(event.instances));
      if (event.type === 'watching') opened += 1;
      if (event.type === 'watch-lost') lost += 1;
    },
  });
  const seen = () => idsOf(caller.peek('user-service')?.instances);
  await until(() => seen().length === 3);

  for (let round = 0; round < 6; round++) {
    await until(() => opened > round);
    const before = lists.length;
    // Not `serverUrl`: what was asked last need not be where the stream is.
    const at = caller.peek('user-service')?.revision.startsWith(servers[0].registry.epoch) === true ? 0 : 1;
    const epochs = servers.map(({ registry }) => registry.epoch);
    // The server that the watcher listens to dies; the other one is all that there is.
    await servers[at].app.close();
    const other = servers[1 - at]!;
    await until(() => caller.peek('user-service')?.revision.startsWith(other.registry.epoch) === true);
    expect(lists.slice(before)).toEqual([]);

    const { instance } = await service.register({ name: 'user-service', port: 4010 + round });
    living.add(instance.id);
    await until(() => seen().includes(instance.id));

    // It comes back at its address, with another epoch, and knows what the other one knows.
    servers[at] = await startServer(other.registry, Number(new URL(servers[at].url).port));
    link(at);
    expect(servers[at].registry.epoch).not.toBe(epochs[at]);
  }
  expect(lost).toBeGreaterThanOrEqual(6);
  expect(seen()).toEqual([...living].sort());
  // Each list has all of the one before: nobody that lives was ever missing.
  for (const [index, list] of lists.entries())
    expect(list).toEqual(expect.arrayContaining(lists[index - 1] ?? []));
  // A goodbye is heard at whichever server it is said.
  await service.close();
  await until(() => seen().length === 0);
}, 30_000);

test('what left at the very moment of the change is held for one lease, as after a restart', async () => {
  const former = await startServer(undefined);
  former.registry.register({ name: 'user-service', host: '127.0.0.1', port: 4000, heartbeatInterval: 1 });
  former.registry.register({ name: 'user-service', host: '127.0.0.1', port: 4001, heartbeatInterval: 3600 });
  const next = await startServer(former.registry);
  const held: string[] = [];
  const caller = connect({
    serverUrl: [former.url, next.url],
    random: () => 0,
    onEvent: (event) => event.type === 'held' && held.push(...idsOf(event.instances)),
  });
  await until(() => caller.peek('user-service')?.instances.length === 2);
  next.registry.deregister({ name: 'user-service', port: 4000 });
  await former.app.close();
  await until(() => held.length > 0);
  // A restart and a change of servers look the same to a client (docs/decisions/0008, 0024).
  expect(held).toEqual(['127.0.0.1:4000']);
  expect(caller.peek('user-service')?.instances).toHaveLength(2);
});
