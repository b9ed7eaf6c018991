import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsConnectionOptions } from 'node:tls';

/** Where a connection goes. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  /** `Host` of requests that have none. */
  readonly authority: string;
  /** TLS; undefined for plain text. */
  readonly tls: TlsConnectionOptions | undefined;
  /** Longest time to connect, TLS included, in milliseconds; 0 = no limit. */
  readonly timeoutMs: number;
}

/** How long a connection is quiet before the kernel asks whether the other side is still there. */
const probeAfterMs = 60_000;

/**
 * Begins to connect.
 *
 * @param onread takes the bytes as they are read; without it the socket is a stream.
 * @throws TypeError, RangeError and errors of OpenSSL for options that make no sense.
 */
export function openSocket({ host, port, tls }: Destination, onread: OnReadOpts | undefined): Socket {
  const options = {
    ...{ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: probeAfterMs },
    ...(onread !== undefined && { onread }),
  };
  if (tls === undefined) return connectTcp(options);
  // A name for the server to choose its certificate by; an address is none (RFC 6066, 3).
  const servername = tls.servername ?? (isIP(host) > 0 ? '' : host);
  return connectTls({ ...options, ...tls, servername, ALPNProtocols: ['http/1.1'] });
}
