import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { takeEvent } from './server-events.ts';

/** Requests whose client waits for 100 before it sends its body. */
const waiting = new WeakMap<object, ServerResponse>();

/**
 * Leaves the answer to `Expect: 100-continue` to who forwards the request, for those that `owns` says yes to. Node says 100 to every such
 * request at once, and so invites a body that a check, a limit or a missing instance is about to refuse (RFC 9110, 10.1.1).
 */
export function acceptExpectations(app: FastifyInstance, owns: (request: IncomingMessage) => boolean): void {
  takeEvent(app, 'checkContinue', (others) => (request: IncomingMessage, response: ServerResponse) => {
    const isOurs = owns(request);
    if (!isOurs && others.length > 0) {
      for (const other of others) other.call(app.server, request, response);
      return;
    }
    if (isOurs) waiting.set(request, response);
    else response.writeContinue();
    app.server.emit('request', request, response);
  });
}

/** Asks the client for the body that it holds back, if it does; said once. */
export function sendContinue(request: IncomingMessage): void {
  const response = waiting.get(request);
  waiting.delete(request);
  if (response?.headersSent === false) response.writeContinue();
}
