import type { HealthMonitor } from '@mesh/health-monitor';
import { HttpProblem } from '@mesh/problem';
import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import { alertsOf } from './alert-routes.ts';
import type { TypedApp } from './typed-app.ts';

const mostStreams = 200;
/** Who reads slower than this grows is cut off; its browser comes back by itself and begins with a snapshot. */
const mostUnreadBytes = 262_144;
const beatMs = 10_000;

/** Live health: server-sent events to everybody who listens, each written once. */
export class HealthStream {
  readonly #monitor: HealthMonitor;
  readonly #streams = new Set<ServerResponse>();
  readonly #stops: (() => void)[];
  readonly #beat: NodeJS.Timeout;

  constructor(monitor: HealthMonitor) {
    this.#monitor = monitor;
    this.#stops = [
      monitor.on('status', ({ target: { id, service, message }, from, to, at }) => {
        this.#tell('status', { id, service, from, to, at, message });
      }),
      monitor.on('alert', ({ alert, previous }) => {
        this.#tell('alert', { alert: alert ?? null, previous: previous ?? null });
      }),
    ];
    // A line that nobody reads shows proxies and browsers that the stream lives.
    this.#beat = setInterval(() => {
      this.#send(':\n\n');
    }, beatMs).unref();
  }

  /** Number of open streams. */
  get size(): number {
    return this.#streams.size;
  }

  /** Answers a request with the stream: first a `snapshot` of all, then `status` and `alert`. */
  open(reply: FastifyReply): void {
    if (this.#streams.size >= mostStreams) {
      throw new HttpProblem('ERR_UNAVAILABLE', `there are ${mostStreams} streams already`, {
        retryAfterMs: 10_000,
      });
    }
    const headers = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
    reply.hijack();
    const { raw } = reply;
    if (raw.destroyed) return;
    raw.shouldKeepAlive = false;
    raw.writeHead(200, {
      ...(Object.fromEntries(headers) as Record<string, string | string[]>),
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const targets = this.#monitor.targets.map(({ id, service, status, since }) => ({
      id,
      service,
      status,
      since,
    }));
    raw.write(`retry: 1000\n\n${encoded('snapshot', { targets, ...alertsOf(this.#monitor) })}`);
    this.#streams.add(raw);
    raw.on('close', () => this.#streams.delete(raw));
    // A write that loses the race against a reset; `close` follows.
    raw.on('error', () => undefined);
  }

  close(): void {
    clearInterval(this.#beat);
    for (const stop of this.#stops) stop();
    for (const stream of this.#streams) stream.end();
  }

  #tell(event: string, data: unknown): void {
    if (this.#streams.size > 0) this.#send(encoded(event, data));
  }

  #send(text: string): void {
    for (const stream of this.#streams) {
      if (stream.writableLength > mostUnreadBytes) stream.destroy();
      else stream.write(text);
    }
  }
}

/** JSON holds no line breaks, so the data is one line. */
const encoded = (event: string, data: unknown): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** `GET /health/stream`. */
export function streamRoute(app: TypedApp, stream: HealthStream): void {
  const schema = { summary: 'Changes of health and alerts as server-sent events', tags: ['health'] };
  app.get('/health/stream', { exposeHeadRoute: false, schema }, (_request, reply) => {
    stream.open(reply);
  });
}
