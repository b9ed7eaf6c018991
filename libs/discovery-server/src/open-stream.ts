import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';

/** Begins an answer of server-sent events; undefined when the client is gone already. */
export function openStream(reply: FastifyReply): ServerResponse | undefined {
  reply.hijack();
  const { raw } = reply;
  if (raw.destroyed) return undefined;
  // A stream ends when it is broken or the server stops: its connection is of no use afterwards, and would delay a close.
  raw.shouldKeepAlive = false;
  // The stream ends with its connection, so chunks would be framed for nothing; that is a third of the cost of an event.
  raw.removeHeader('transfer-encoding');
  // Each event goes out at once, also to whoever is slow to acknowledge the one before.
  raw.socket?.setNoDelay(true);
  raw.writeHead(200, {
    ...definedHeaders(reply),
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  // A write that loses the race against a reset; `close` follows.
  raw.on('error', () => undefined);
  return raw;
}

/** What hooks of the app have set (CORS, request ids): hijacking would drop it. */
function definedHeaders(reply: FastifyReply): Record<string, number | string | string[]> {
  const entries = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, number | string | string[]>;
}
