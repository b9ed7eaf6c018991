import type { FastifyInstance } from 'fastify';
import { gateway, listenRaw } from './raw-http.ts';
import { readRequests, type WireRequest } from './wire-request.ts';

/** An instance that writes down every byte and answers every request that it reads the strict way. */
export class RecordingInstance {
  #streams: { text: string }[] = [];

  /** Resolves with its port. */
  async listen(): Promise<number> {
    const { port } = await listenRaw((socket) => {
      const stream = { text: '' };
      let unread = '';
      this.#streams.push(stream);
      socket.on('data', (chunk: Buffer) => {
        const text = chunk.toString('latin1');
        stream.text += text;
        try {
          const { requests, rest } = readRequests(unread + text);
          unread = rest;
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'.repeat(requests.length));
        } catch {
          // `requests` tells the test.
          socket.destroy();
        }
      });
    });
    return port;
  }

  /** Every byte that came. */
  get received(): string {
    return this.#streams.map(({ text }) => text).join('');
  }

  /** Every request that came, read strictly. @throws Error when what came is not plain HTTP/1.1. */
  get requests(): WireRequest[] {
    return this.#streams.flatMap(({ text }) => readRequests(text).requests);
  }

  /** Forgets what came; a connection that is between two requests goes on. */
  forget(): void {
    for (const stream of this.#streams) stream.text = '';
  }
}

/** A gateway before one recording instance of `user-service` and one of `admin-service`. */
export interface SmallMesh {
  readonly port: number;
  readonly users: RecordingInstance;
  readonly admin: RecordingInstance;
}

/** Starts it: `/users` leads to `user-service`, `/api/<service>` to any. `cleanUp` of `raw-http.ts` closes it. */
export async function smallMesh(prepare?: (app: FastifyInstance) => void): Promise<SmallMesh> {
  const users = new RecordingInstance();
  const admin = new RecordingInstance();
  const ports = { 'user-service': await users.listen(), 'admin-service': await admin.listen() };
  const port = await gateway(ports, { routes: [{ prefix: '/users', service: 'user-service' }] }, prepare);
  return { port, users, admin };
}
