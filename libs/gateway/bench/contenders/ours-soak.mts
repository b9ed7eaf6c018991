/**
 * Ours under a soak: everything on, instances that come and go, routes that change every second. Beside what every contender tells of
 * itself it tells what is in flight, and what its sockets carry.
 */
import { createServiceClient } from '@mesh/service-client';
import { fastify } from 'fastify';
import { createHook } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { readdirSync } from 'node:fs';
import type { EventEmitter } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import {
  createGateway,
  Overload,
  ResponseCache,
  RouteMetrics,
  TraceLog,
  type RoutesInput,
} from '../../src/index.ts';
import { rateLimit } from '../../src/limits/rate-limit.ts';
import { contend } from './contend.mts';

const sockets = new Set<Socket>();
const timers = new Set<number>();

/** Every socket of the process, whoever has opened it. */
function watch(message: unknown): void {
  const { socket } = message as { socket: Socket };
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}
subscribe('net.client.socket', watch);
subscribe('net.server.socket', watch);

/** Those too that do not keep the process alive. */
createHook({
  trackPromises: false,
  init(id, type) {
    if (type === 'Timeout') timers.add(id);
  },
  destroy(id) {
    timers.delete(id);
  },
}).enable();

const listenersOf = (emitter: Pick<EventEmitter, 'eventNames' | 'listenerCount'>): number =>
  emitter.eventNames().reduce((sum, event) => sum + emitter.listenerCount(event), 0);

/** Linux and macOS; elsewhere nobody can count them. */
function descriptors(): number {
  try {
    return readdirSync('/dev/fd').length;
  } catch {
    return 0;
  }
}

/** Three sound instances, one that comes as a new one every second and leaves again, and one where often nobody listens. */
function discoveryOf(origins: readonly string[]) {
  const addresses = origins.map((origin) => {
    const { hostname, port } = new URL(origin);
    return { host: hostname, port: Number(port) };
  });
  const named = (name: string, some: typeof addresses) =>
    some.map((address, at) => ({ id: `${name}-${at}`, ...address }));
  const sound = named('sound', addresses.slice(0, 3));
  const flaky = { instances: named('flaky', [...addresses.slice(0, 1), ...addresses.slice(4)]) };
  let items = { instances: sound };
  let visits = 0;
  setInterval(() => {
    visits++;
    const visitors = visits % 2 === 0 ? [] : named(`visitor-${visits}`, addresses.slice(3, 4));
    items = { instances: [...sound, ...visitors] };
  }, 1_000);
  const peek = (name: string) => {
    if (name === 'flaky-service') return flaky;
    return /^(item|bad|slow)-service$/.test(name) ? items : { instances: [] };
  };
  return { peek, resolve: (name: string) => Promise.resolve(peek(name)) };
}

const plenty = { limits: [{ limit: 1_000_000_000, by: 'address' as const }] };

/** A new set of routes each time: one comes, one goes, one changes. */
const routes = (revision: number): RoutesInput => ({
  defaults: { rateLimit: plenty },
  routes: [
    { match: { prefix: '/api' }, service: '*', websocket: true },
    { match: { prefix: '/cached' }, service: 'item-service', cache: { ttlMs: 2_000 } },
    {
      match: { prefix: '/never' },
      service: 'slow-service',
      timeouts: { attemptMs: 40 + (revision % 2) },
      retry: { maxRetries: 1 },
    },
    { match: { prefix: `/only-${revision}` }, service: 'item-service', rewrite: '/items' },
  ],
});

await contend(async (origins) => {
  const client = createServiceClient({ discovery: discoveryOf(origins) });
  const overload = new Overload();
  const gateway = createGateway({
    client,
    routes: routes(0),
    policies: {
      overload,
      rateLimit: () => rateLimit({ rules: plenty }),
      cache: new ResponseCache({ maxEntries: 500 }),
    },
    observers: { metrics: new RouteMetrics(), traces: new TraceLog() },
  });
  const app = fastify({ keepAliveTimeout: 3_600_000 });
  await app.register(gateway.plugin);
  await app.listen({ port: 0, host: '127.0.0.1' });
  let revision = 0;
  setInterval(() => gateway.update(routes(++revision)), 1_000);

  const vitals = () => {
    const instances = Object.values(client.getSnapshot().services).flatMap((service) => service.instances);
    const { inFlight, queued } = overload.getSnapshot();
    return {
      sockets: sockets.size,
      descriptors: descriptors(),
      // Every socket may have one.
      timersBesideSockets: Math.max(0, timers.size - sockets.size),
      listenersOfASocket: Math.max(0, ...[...sockets].map(listenersOf)),
      otherListeners: listenersOf(process) + listenersOf(app.server),
      slots: inFlight + queued,
      inFlight: instances.reduce((sum, { inflight }) => sum + inflight, 0),
      // Half-open and nobody may try, though nothing is in flight: a permit was never given back.
      lostPermits: instances.filter(({ state, available }) => state === 'half-open' && !available).length,
    };
  };
  return { port: (app.server.address() as AddressInfo).port, vitals };
});
