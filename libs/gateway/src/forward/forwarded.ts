/** What is known of the connection on which a request came. */
export interface Caller {
  /** Address of the peer; undefined when the socket is gone. */
  readonly address: string | undefined;
  readonly encrypted: boolean;
  /** The Host field as it came. */
  readonly host: string | undefined;
}

/**
 * The X-Forwarded fields of a request, as flat pairs. They tell what this gateway saw itself: no proxy in front of it is
 * trusted, so what a client wrote there before is dropped by the caller, never appended to.
 */
export function forwardedHeaders({ address, encrypted, host }: Caller): string[] {
  const headers = ['x-forwarded-proto', encrypted ? 'https' : 'http'];
  if (address !== undefined) headers.push('x-forwarded-for', plainAddress(address));
  if (host !== undefined && host !== '') headers.push('x-forwarded-host', host);
  return headers;
}

/** A dual-stack socket shows an IPv4 peer as `::ffff:192.0.2.1`; every list of addresses knows it as `192.0.2.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
