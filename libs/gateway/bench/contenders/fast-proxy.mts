import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contend, maxConnections } from './contend.mts';
import { peer } from './peer.mts';

type Proxy = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string | undefined,
  options: object,
) => void;

type FastProxy = (options: object) => { readonly proxy: Proxy };

/** It knows one upstream. */
await contend(async ([base]) => {
  const { proxy } = (peer('fast-proxy') as FastProxy)({ base, undici: { connections: maxConnections } });
  const server = createServer((request, response) => {
    proxy(request, response, request.url, {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
});
