const usual = /^[a-z0-9.-]*[a-z0-9-]$/;

const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/;

/** One spelling of a host: lower case, no brackets, no trailing dot, IPv4 within IPv6 unwrapped (RFC 4291, 2.5.5.2). */
export function normalizeHost(host: string): string {
  // Nearly every one is written as it should be, and heartbeats are many.
  if (usual.test(host)) return host;
  const plain = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return mapped.exec(plain)?.[1] ?? (plain.endsWith('.') ? plain.slice(0, -1) : plain);
}

/** The host to register a caller under that names none: its own address; loopback of either family is 127.0.0.1. */
export function callerHost(ip: string): string {
  const host = normalizeHost(ip);
  return host === '::1' ? '127.0.0.1' : host;
}

/** `host:port`, with brackets around IPv6. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What two spellings of one address have in common: `localhost`, `::1` and `127.0.0.1` are the same machine. */
export function addressKey(host: string, port: number): string {
  return hostPort(host === 'localhost' || host === '::1' ? '127.0.0.1' : host, port);
}
