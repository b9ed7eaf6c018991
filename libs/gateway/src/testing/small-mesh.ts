import { createServiceClient, type ServiceClient } from '@mesh/service-client';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import type { AddressInfo } from 'node:net';
import { proxyRoutes, type ProxyRoutesOptions } from '../proxy.ts';
import { RecordingUpstream } from './wire.ts';

/** A gateway before one recording instance of `user-service` and one of `admin-service`. */
export interface SmallMesh {
  readonly port: number;
  readonly app: FastifyInstance;
  readonly users: RecordingUpstream;
  readonly admin: RecordingUpstream;
  readonly client: ServiceClient;
  close(): Promise<void>;
}

/** What of it a test wants otherwise. */
export interface SmallMeshOptions {
  readonly server?: FastifyServerOptions;
  readonly proxy?: Partial<ProxyRoutesOptions>;
  readonly prepare?: (app: FastifyInstance) => void;
}

/** Starts it: `/users` leads to `user-service`, `/api/<service>` to any. */
export async function smallMesh({ server, proxy, prepare }: SmallMeshOptions = {}): Promise<SmallMesh> {
  const users = new RecordingUpstream();
  const admin = new RecordingUpstream();
  const known = new Map([
    ['user-service', { instances: [{ id: 'user-1', host: '127.0.0.1', port: await users.listen() }] }],
    ['admin-service', { instances: [{ id: 'admin-1', host: '127.0.0.1', port: await admin.listen() }] }],
  ]);
  const none = { instances: [] };
  const client = createServiceClient({
    discovery: {
      peek: (name) => known.get(name) ?? none,
      resolve: (name) => Promise.resolve(known.get(name) ?? none),
    },
    retry: { maxRetries: 0 },
  });
  const app = Fastify({ forceCloseConnections: true, ...server });
  prepare?.(app);
  const routes = [{ prefix: '/users', service: 'user-service' }];
  await app.register(proxyRoutes, { client, routes, dynamicPrefix: '/api', ...proxy });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    port: (app.server.address() as AddressInfo).port,
    ...{ app, users, admin, client },
    async close() {
      await app.close();
      await client.close(0);
      users.close();
      admin.close();
    },
  };
}
