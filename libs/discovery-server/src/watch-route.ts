import type { FastifyReply } from 'fastify';
import { watchQuery } from './schemas.ts';
import type { TypedApp } from './typed-app.ts';
import type { WatchHub } from './watch-hub.ts';

/** `GET /watch`: server-sent events. */
export function watchRoute(app: TypedApp, hub: WatchHub): void {
  app.get(
    '/watch',
    {
      exposeHeadRoute: false,
      schema: { summary: 'Changes as server-sent events', querystring: watchQuery },
    },
    (request, reply) => {
      hub.reserve();
      const lastEventId = request.headers['last-event-id'];
      stream(reply, hub, {
        services: request.query.services,
        lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
      });
    },
  );
}

function stream(reply: FastifyReply, hub: WatchHub, request: Parameters<WatchHub['open']>[1]): void {
  reply.hijack();
  const { raw } = reply;
  if (raw.destroyed) return;
  // A stream ends when it is broken or the server stops: its connection is of no use afterwards, and would delay a close.
  raw.shouldKeepAlive = false;
  raw.writeHead(200, {
    ...definedHeaders(reply),
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const close = hub.open(raw, request);
  raw.on('close', close);
  // A write that loses the race against a reset; `close` follows.
  raw.on('error', () => undefined);
}

/** What hooks of the app have set (CORS, request ids): hijacking would drop it. */
function definedHeaders(reply: FastifyReply): Record<string, number | string | string[]> {
  const entries = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, number | string | string[]>;
}
