/** Ours under a soak: beside the load's own routes it tells what is in flight, and how many listeners its sockets carry. */
import { createServiceClient } from '@mesh/service-client';
import { fastify } from 'fastify';
import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo, Socket } from 'node:net';
import { createGateway, Overload, RouteMetrics, TraceLog } from '../../src/index.ts';
import { contend } from './contend.mts';
import { registryOf } from './registry.mts';

const sockets = new Set<Socket>();

function watch(socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

const listenersOf = (socket: Socket): number =>
  socket.eventNames().reduce((sum, event) => sum + socket.listenerCount(event), 0);

subscribe('undici:client:connected', (message) => {
  watch((message as { socket: Socket }).socket);
});

await contend(async (origins) => {
  const client = createServiceClient({ discovery: registryOf(origins) });
  const overload = new Overload();
  const gateway = createGateway({
    client,
    routes: { routes: [{ match: { prefix: '/api' }, service: '*' }] },
    policies: { overload },
    observers: { metrics: new RouteMetrics(), traces: new TraceLog() },
  });
  const app = fastify({ keepAliveTimeout: 3_600_000 });
  await app.register(gateway.plugin);
  app.server.on('connection', watch);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const vitals = () => {
    const instances = Object.values(client.getSnapshot().services).flatMap((service) => service.instances);
    const { inFlight, queued } = overload.getSnapshot();
    return {
      slots: inFlight + queued,
      listenersOfASocket: Math.max(0, ...[...sockets].map(listenersOf)),
      inFlight: instances.reduce((sum, { inflight }) => sum + inflight, 0),
      // Half-open and nobody may try, though nothing is in flight: a permit was never given back.
      lostPermits: instances.filter(({ state, available }) => state === 'half-open' && !available).length,
    };
  };
  return { port: (app.server.address() as AddressInfo).port, base: '/api', vitals };
});
