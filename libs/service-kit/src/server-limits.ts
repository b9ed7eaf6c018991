import { HttpProblem } from '@mesh/problem';
import type { FastifyHttpOptions, FastifyInstance, RawServerDefault } from 'fastify';

/** How much a client may take of a server before a route has seen its request. */
export interface ServerLimits {
  /** Longest time for the head of a request to arrive, in ms; also for the first byte on a new connection. Then 408. Default 10 000. */
  readonly headTimeoutMs?: number;
  /** Longest time for a whole request to arrive, in ms, 0: any. Then 408. Default 30 000. */
  readonly requestTimeoutMs?: number;
  /** How long a connection is kept for the next request, in ms. Default 75 000. */
  readonly keepAliveMs?: number;
  /** Longest silence of a connection in both directions, in ms, 0: any. Default 120 000. */
  readonly idleMs?: number;
  /** Longest head of a request, in bytes. Then 431. Default 16 KiB. */
  readonly maxHeadBytes?: number;
  /** Most header fields of a request. Then 431. Default 100. */
  readonly maxHeaderFields?: number;
  /** Longest target of a request, in bytes. Then 414. Default 8 KiB. */
  readonly maxUrlBytes?: number;
  /** Most open connections, 0: any. One more is closed at once, unanswered. Default 0. */
  readonly maxConnections?: number;
  /** Most requests on one connection, 0: any. The last answer says `Connection: close`, one more is 503. Default 0. */
  readonly maxRequestsPerConnection?: number;
}

const defaults: Required<ServerLimits> = {
  headTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 75_000,
  idleMs: 120_000,
  maxHeadBytes: 16_384,
  maxHeaderFields: 100,
  maxUrlBytes: 8_192,
  maxConnections: 0,
  maxRequestsPerConnection: 0,
};

/** Where 0 means that there is no limit. */
const mayBeZero: ReadonlySet<string> = new Set([
  'requestTimeoutMs',
  'idleMs',
  'maxConnections',
  'maxRequestsPerConnection',
]);

/** Longest time between two looks for slow heads, in ms; Node's own is 30 s, so late would be the 408. */
const longestLookMs = 1_000;

/** Limits with their defaults. @throws RangeError when a limit makes no sense. */
export function readLimits(given: ServerLimits = {}): Required<ServerLimits> {
  const limits = { ...defaults, ...given };
  for (const [name, value] of Object.entries(limits)) {
    const least = mayBeZero.has(name) ? 0 : 1;
    if (!Number.isSafeInteger(value) || value < least || value > 2 ** 31 - 1)
      throw new RangeError(
        `serverLimits: ${name} must be an integer from ${least} to 2147483647, got ${value}`,
      );
  }
  const { headTimeoutMs, requestTimeoutMs } = limits;
  if (requestTimeoutMs > 0 && requestTimeoutMs < headTimeoutMs)
    throw new RangeError(
      `serverLimits: requestTimeoutMs must be 0 or >= headTimeoutMs, got ${requestTimeoutMs}`,
    );
  return limits;
}

/** The part of the limits that Fastify and Node keep. */
export function limitOptions(limits: Required<ServerLimits>): FastifyHttpOptions<RawServerDefault> {
  return {
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.idleMs,
    keepAliveTimeout: limits.keepAliveMs,
    maxRequestsPerSocket: limits.maxRequestsPerConnection,
    http: {
      headersTimeout: limits.headTimeoutMs,
      maxHeaderSize: limits.maxHeadBytes,
      // Not a limit, but it has to be said here: a request without a body is not made a stream.
      optimizeEmptyRequests: true,
      connectionsCheckingInterval: Math.min(longestLookMs, limits.headTimeoutMs),
    },
  };
}

/** The other part. */
export function addLimits(app: FastifyInstance, limits: Required<ServerLimits>): void {
  const { maxHeaderFields, maxUrlBytes, maxConnections } = limits;
  if (maxConnections > 0) app.server.maxConnections = maxConnections;
  // Node would drop the fields that are too many and go on without them: perhaps without the one that forbids something.
  app.server.maxHeadersCount = 0;
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if ((raw.url ?? '').length > maxUrlBytes) done(tooLong(maxUrlBytes));
    else if (raw.rawHeaders.length > 2 * maxHeaderFields) done(tooMany(maxHeaderFields));
    else done();
  });
}

function tooLong(most: number): HttpProblem {
  return new HttpProblem('ERR_URI_TOO_LONG', `The target of a request may have at most ${most} bytes.`);
}

function tooMany(most: number): HttpProblem {
  return new HttpProblem('ERR_HEADERS_TOO_LARGE', `A request may have at most ${most} header fields.`);
}
