import { Agent, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inTurn, maxConnections, type Listening } from './contend.mts';
import { peer } from './peer.mts';

interface Peer {
  readonly createProxyMiddleware: (options: object) => unknown;
}

interface Middleware {
  readonly upgrade: (...parts: unknown[]) => void;
}

type Express = () => {
  use(middleware: unknown): void;
  listen(port: number, host: string, listening: () => void): Server;
};

/** A major of http-proxy-middleware in express, the way its README says. */
export async function middlewareInExpress(name: string, instances: readonly string[]): Promise<Listening> {
  const { createProxyMiddleware } = peer(name) as Peer;
  const app = (peer('express') as Express)();
  const agent = new Agent({ keepAlive: true, maxSockets: maxConnections });
  const middleware = createProxyMiddleware({
    ...{ target: instances[0], router: inTurn(instances), agent },
    ...{ xfwd: true, ws: true },
  }) as Middleware;
  app.use(middleware);
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => {
      resolve(listening);
    });
  });
  server.on('upgrade', middleware.upgrade);
  return { port: (server.address() as AddressInfo).port };
}
