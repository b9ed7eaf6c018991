/**
 * Ours before instances whose clients go away: it notes when it has heard of that, by the `id` in the query, and when its own connections to
 * instances were closed, by their ports.
 */
import { createServiceClient } from '@mesh/service-client';
import { fastify } from 'fastify';
import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo, Socket } from 'node:net';
import { createGateway, Overload, RouteMetrics, TraceLog } from '../../src/index.ts';
import { hostMs } from '../host-clock.ts';
import { contend } from './contend.mts';
import { registryOf } from './registry.mts';

const closed: Record<string, number> = {};
subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket };
  socket.once('connect', () => {
    const { localPort } = socket;
    // A port is used more than once.
    socket.once('close', () => (closed[`port ${localPort} at ${hostMs()}`] = hostMs()));
  });
});

await contend(async (origins) => {
  const client = createServiceClient({ discovery: registryOf(origins) });
  const overload = new Overload({ maxInFlight: 5_000 });
  const gateway = createGateway({
    client,
    routes: { routes: [{ match: { prefix: '/api' }, service: '*', websocket: true }] },
    policies: { overload },
    observers: { metrics: new RouteMetrics(), traces: new TraceLog() },
  });
  const app = fastify();
  const heard: Record<string, number> = {};
  const note = (url: string | undefined, socket: Socket): void => {
    const id = /[?&]id=(\d+)/.exec(url ?? '')?.[1];
    if (id !== undefined) socket.once('close', () => (heard[id] = hostMs()));
  };
  app.server.on('request', ({ url, socket }) => {
    note(url, socket);
  });
  app.server.prependListener('upgrade', ({ url, socket }) => {
    note(url, socket);
  });
  await app.register(gateway.plugin);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const vitals = () => {
    const instances = Object.values(client.getSnapshot().services).flatMap((service) => service.instances);
    const { inFlight, queued } = overload.getSnapshot();
    const held = {
      slots: inFlight + queued,
      inFlight: instances.reduce((sum, one) => sum + one.inflight, 0),
    };
    return { ...heard, ...closed, ...held };
  };
  return { port: (app.server.address() as AddressInfo).port, base: '/api', vitals };
});
