import type { Check } from './check.ts';
import { nodeModule, type Lookup } from './node-api.ts';
import { count } from './range.ts';

/** An address. */
export interface TcpAddress {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly port: number;
  /** Default: that of `node:dns`. */
  readonly lookup?: Lookup;
}

/** Up when the port accepts a connection, which is closed at once. It keeps no process alive. @throws RangeError when the port is none. */
export function tcpCheck({ host = '127.0.0.1', port, lookup }: TcpAddress): Check {
  if (count('port', port) > 65_535)
    throw new RangeError(`healthMonitor: port must be at most 65535, got ${port}`);
  const net = nodeModule('node:net');
  return (signal) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host, port, signal, ...(lookup !== undefined && { lookup }) });
      socket.unref();
      socket
        .on('connect', () => {
          socket.destroy();
          resolve(undefined);
        })
        .on('error', reject);
    });
}
