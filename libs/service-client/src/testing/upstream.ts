import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Discovery, Resolution, ServiceInstance } from '../index.ts';

/** A small server on a free port of the loopback. */
export class Upstream {
  readonly id: string;
  readonly server: Server;
  readonly sockets = new Set<Socket>();
  /** Requests that came in. */
  hits = 0;
  /** Connections that were opened. */
  connections = 0;
  listener: RequestListener;
  #port = 0;

  constructor(id: string, listener: RequestListener) {
    this.id = id;
    this.listener = listener;
    this.server = createServer((request, response) => {
      this.hits += 1;
      this.listener(request, response);
    });
    this.server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  get port(): number {
    return this.#port;
  }

  get instance(): ServiceInstance {
    return { id: this.id, host: '127.0.0.1', port: this.#port };
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.#port = (this.server.address() as AddressInfo).port;
    return this;
  }

  /** Dies like a killed process: connections are reset, the port refuses. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.resetAndDestroy();
    await closed;
  }
}

/** A registry that holds still. */
export class StaticDiscovery implements Discovery {
  #known = new Map<string, Resolution>();
  lookups = 0;

  constructor(instances: readonly ServiceInstance[] = []) {
    if (instances.length > 0) this.set(instances);
  }

  set(instances: readonly ServiceInstance[], name = 'user-service'): void {
    this.#known.set(name, { instances: Object.freeze([...instances]) });
  }

  peek(name: string): Resolution | undefined {
    return this.#known.get(name);
  }

  resolve(name: string): Promise<Resolution> {
    this.lookups += 1;
    return Promise.resolve(this.#known.get(name) ?? { instances: [] });
  }
}

/** Answers with the given status and a small JSON body that names the instance. */
export function answer(status: number, id: string, headers: Record<string, string> = {}): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ instance: id, path: request.url }));
  };
}

/** Waits until `condition` holds; bounded. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`never: ${what}`);
}
