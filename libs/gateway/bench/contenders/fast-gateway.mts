import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contend, maxConnections } from './contend.mts';
import { peer } from './peer.mts';

type FastGateway = (options: object) => { start(port: number, host: string): Promise<Server> };

/** Its routes have one target. */
await contend(async ([target]) => {
  const route = { prefix: '/items', pathRegex: '*', prefixRewrite: '/items', target };
  const pool = { undici: { connections: maxConnections } };
  const gateway = (peer('fast-gateway') as FastGateway)({ routes: [{ ...route, proxyConfig: pool }] });
  const server = await gateway.start(0, '127.0.0.1');
  return { port: (server.address() as AddressInfo).port };
});
