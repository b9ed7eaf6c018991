import type { FastifyInstance } from 'fastify';

/** The longest rest of a body that is read and thrown away for the sake of an answer, in bytes. */
const longestRest = 16 * 1024 * 1024;

/**
 * Lets an early answer reach a client that is still sending, such as 413 to a body of known length: Node reads the rest away and keeps
 * the connection. To close at once would reset it, and the client would learn of a broken pipe instead of its mistake (RFC 9112, 9.6).
 * A body that is longer, or of unknown length, still costs its connection.
 */
export function addLingeringAnswer(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, _payload, done) => {
    const rest = Number(request.headers['content-length']);
    if (!request.raw.complete && rest <= longestRest && reply.getHeader('connection') === 'close') {
      reply.removeHeader('connection');
    }
    done();
  });
}
