import { HttpProblem } from '@mesh/problem';
import { createCallContext, type CallWishes } from '@mesh/service-client';
import type { IncomingMessage } from 'node:http';
import type { Flow, Forward } from '../passage.ts';
import type { ForwardedFields } from './forwarded.ts';
import { HeldBody, heldBytes } from './held-body.ts';
import { without } from './hop-headers.ts';
import { isOriginAllowed } from './origin-check.ts';
import { RequestBody, tooLarge, type BodyLimits } from './request-body.ts';
import { readRequestHead, type RequestHead } from './request-head.ts';
import type { Transport, TransportRequest } from './transport.ts';
import type { Tunnels } from './tunnels.ts';
import { isHandshake } from './upgrades.ts';
import { Via } from './via.ts';

/** What {@link forwardTo} takes. */
export interface ForwardOptions extends BodyLimits {
  /** What is written about who asked. */
  readonly forwarded: ForwardedFields;
  /** Whose Host field the instance gets. Default the client's. */
  readonly host?: 'client' | 'instance';
  /** Name of this gateway in `Via`. A request that has passed it twice is answered with 508. Default `mesh`. */
  readonly pseudonym?: string;
  /** Where WebSockets are let through, and how many. */
  readonly tunnels: Tunnels;
  /**
   * Pages that may open a WebSocket here beside those of the gateway's own host: `['https://shop.example']`, `['*']` for any; false for no
   * WebSockets at all. Default none but its own.
   */
  readonly origins?: readonly string[] | false;
  /** What a call is to be like (policy, canary, deadline), beside its trace. Default: as the client has it. */
  readonly wishes?: CallWishes;
}

/**
 * The end of the way: sends the request of a passage to an instance of its service and the answer into a sink. Bodies stream, fields keep
 * order, case and duplicates; what belongs to a connection, and what only the mesh may say, is taken off.
 *
 * @throws RangeError when an option makes no sense.
 */
export function forwardTo(transport: Transport, options: ForwardOptions): Forward {
  const via = new Via(options.pseudonym ?? 'mesh');
  const { wishes, forwarded, host = 'client' } = options;

  return (passage, sink) => {
    const { request, service, path, trace, requestHeaders, withheldHeaders } = passage;
    const head = readRequestHead(request.raw.rawHeaders);
    // A server of HTTP/1.0 knows no chunks, so somebody before us may have read another body (RFC 9112, 6.1).
    if (head.isChunked && request.raw.httpVersionMinor === 0 && request.raw.httpVersionMajor === 1) {
      head.fault = 'HTTP/1.0 has no Transfer-Encoding';
    }
    const refusal =
      refusalOf(head, options.bodyLimit, via) ?? handshakeRefusal(request.raw, head.host, options);
    if (refusal !== undefined) {
      sink.fail(refusal);
      return nothing;
    }
    if (withheldHeaders !== undefined && withheldHeaders.length > 0) {
      head.headers = without(head.headers, new Set(withheldHeaders));
    }
    const { headers } = head;
    if (host === 'client' && head.host !== undefined) headers.unshift('host', head.host);
    forwarded.write(head, request.raw.socket);
    headers.push('via', via.element);
    if (head.takesTrailers) headers.push('te', 'trailers');
    for (const part of requestHeaders) headers.push(part);
    const upgrade = isHandshake(request.raw) ? 'websocket' : undefined;
    const context = createCallContext(wishes);
    context.trace = trace;
    passage.call = context;
    const { method } = request;
    const send = (body: TransportRequest['body']): Flow =>
      transport({ service, method, path, body, context, rawHeaders: headers, upgrade }, sink);
    if (!hasBody(head, request.raw)) return send(null);
    const fail = (problem: HttpProblem): void => {
      sink.fail(problem);
    };
    if (isSmall(head)) return new HeldBody(request.raw, options, { send, fail, notes: passage.notes });
    const body = new RequestBody(request.raw, options, passage.notes);
    const flow = send(body);
    body.onFault((problem) => {
      flow.abort(problem);
      fail(problem);
    });
    return flow;
  };
}

const nothing: Flow = { abort: () => undefined, resume: () => undefined };

function refusalOf(head: RequestHead, bodyLimit: number, via: Via): HttpProblem | undefined {
  if (head.fault !== undefined) return new HttpProblem('ERR_BAD_REQUEST', `Not forwarded: ${head.fault}.`);
  if (head.length > bodyLimit) return tooLarge(bodyLimit);
  if (!via.isLoop(head.via)) return undefined;
  return new HttpProblem('ERR_LOOP', 'Not forwarded: the request goes in a circle.', { status: 508 });
}

/** Whether a body can be held. Who asks whether to send it is told when an instance takes it. */
function isSmall({ length, isChunked, expectsContinue }: RequestHead): boolean {
  return length > 0 && length <= heldBytes && !isChunked && !expectsContinue;
}

/** HTTP/2 needs neither a length nor chunks to have a body. */
function hasBody(
  head: RequestHead,
  request: IncomingMessage & { stream?: { endAfterHeaders?: boolean } },
): boolean {
  if (head.isChunked || head.length > 0) return true;
  return head.authority !== undefined && request.stream?.endAfterHeaders === false;
}

function handshakeRefusal(
  request: IncomingMessage,
  host: string | undefined,
  { origins = [], tunnels }: ForwardOptions,
): HttpProblem | undefined {
  if (!isHandshake(request)) return undefined;
  if (origins === false) return new HttpProblem('ERR_BAD_REQUEST', 'This route carries no WebSockets.');
  if (!isOriginAllowed(request.rawHeaders, host, origins)) {
    return new HttpProblem('ERR_FORBIDDEN', 'This page may not open a WebSocket here.');
  }
  if (tunnels.hasRoom) return undefined;
  return new HttpProblem('ERR_UNAVAILABLE', 'There are too many WebSockets.', { retryAfterMs: 1_000 });
}
