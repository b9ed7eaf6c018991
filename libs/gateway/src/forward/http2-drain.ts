import type { FastifyInstance } from 'fastify';
import type { ServerHttp2Session } from 'node:http2';

/**
 * Ends the connections of HTTP/2 clients when the app closes: each gets a GOAWAY and ends with its last stream. Node 24 does so in
 * `server.close()`; older ones do not, and who has stopped listening before has nothing left to close. On a server of HTTP/1 it does nothing.
 *
 * A stream that crosses the GOAWAY is refused, so that the client may send it again elsewhere. The GOAWAY that refuses nothing yet
 * (RFC 9113, 6.8) is none for Node: nghttp2 takes no stream after any that Node lets one send.
 */
export function drainSessions(app: FastifyInstance): void {
  const sessions = new Set<ServerHttp2Session>();
  app.server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  app.addHook('preClose', (closed) => {
    for (const session of sessions) session.close();
    closed();
  });
}
