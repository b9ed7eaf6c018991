import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The part of the registry's protocol that a registration needs. */
export class FakeRegistry {
  readonly calls: { method: string; url: string; body: Record<string, unknown> }[] = [];
  readonly #waiting: { test: (method: string, url: string) => boolean; resolve: () => void }[] = [];
  readonly server: Server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
      const { method = '', url = '' } = request;
      this.calls.push({ method, url, body });
      const known = url === '/register' || url === '/heartbeat' || method === 'DELETE';
      const now = new Date().toISOString();
      const instance = {
        weight: 1,
        metadata: {},
        status: 'up',
        incarnation: '1',
        registeredAt: now,
        lastHeartbeat: now,
        ...body,
      };
      const lease = { durationMs: 45_000, expiresAt: now };
      response.writeHead(known ? (url === '/register' ? 201 : 200) : 404, {
        'content-type': 'application/json',
      });
      response.end(
        JSON.stringify(known ? { ...instance, lease, revision: 'e:1' } : { code: 'ERR_NOT_FOUND' }),
      );
      for (const waiter of this.#waiting) if (waiter.test(method, url)) waiter.resolve();
    })();
  });

  async listen(port = 0): Promise<number> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  heard(method: string, path: string): Promise<void> {
    const test = (m: string, url: string) => m === method && url.startsWith(path);
    if (this.calls.some((call) => test(call.method, call.url))) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
