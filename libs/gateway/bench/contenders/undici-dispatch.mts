/** The floor of this transport: node:http and undici's dispatch by hand, no policy at all. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool, type Dispatcher } from 'undici';
import { contend, inTurn, maxConnections } from './contend.mts';

class Answer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  onRequestStart(): void {
    // Nothing to remember.
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    const raw = (controller as { rawHeaders?: Buffer[] }).rawHeaders ?? [];
    this.#response.writeHead(
      status,
      raw.map((part) => part.toString('latin1')),
    );
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#response.write(chunk)) return;
    controller.pause();
    this.#response.once('drain', () => {
      controller.resume();
    });
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(): void {
    this.#response.destroy();
  }
}

await contend(async (origins) => {
  const next = inTurn(origins.map((origin) => new Pool(origin, { connections: maxConnections })));
  const server = createServer((request, response) => {
    const { method = 'GET', url: path = '/', rawHeaders } = request;
    const headers: string[] = [];
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      if (!/^connection$/i.test(name)) headers.push(name, rawHeaders[at + 1] ?? '');
    }
    const body = method === 'GET' ? null : request;
    next().dispatch({ method, path, headers, body }, new Answer(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port };
});
