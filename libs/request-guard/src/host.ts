/** A host as `Host` or an origin names it: lower case, without a trailing dot, IPv6 in brackets. */
export interface Host {
  readonly name: string;
  /** Absent when the text names no port. */
  readonly port: number | undefined;
}

/** Longest DNS name (253), a trailing dot and `:65535`. */
const longest = 260;

// An allow-list of characters: no userinfo (`@`), no path, no blanks, no commas of joined duplicates can get through.
// Matched before it is lower-cased, for the Kelvin sign (U+212A) lower-cases to the letter k.
const pattern = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::([0-9]{1,5}))?$/i;

/** Reads `name[:port]`, undefined when it is anything else. Stricter than RFC 3986 on purpose: what is odd is refused. */
export function parseHost(text: string): Host | undefined {
  const match = text.length <= longest ? pattern.exec(text) : null;
  const name = match?.[1]?.toLowerCase();
  if (name === undefined) return undefined;
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  return { name, port };
}

/** An origin (RFC 6454): a scheme and a host, nothing after them. */
export interface Origin {
  readonly scheme: string;
  readonly host: Host;
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** Reads `scheme://host[:port]`, undefined when it is anything else (`null` and lists of origins included). */
export function parseOrigin(text: string): Origin | undefined {
  const match = /^([a-z][a-z0-9+.-]{0,31}):\/\/(.+)$/i.exec(text.slice(0, longest + 40));
  const [, scheme, rest] = match ?? [];
  const host = rest === undefined ? undefined : parseHost(rest);
  return scheme === undefined || host === undefined ? undefined : { scheme: scheme.toLowerCase(), host };
}

/** The one spelling of an origin, with the default port of its scheme left out. */
export function serializeOrigin({ scheme, host }: Origin): string {
  const port = host.port === defaultPorts[scheme] ? undefined : host.port;
  return `${scheme}://${host.name}${port === undefined ? '' : `:${port}`}`;
}

/** Whether a page of this origin came from this host: same name, same port (an unnamed port is the scheme's). */
export function isSameHost({ scheme, host: from }: Origin, host: Host): boolean {
  const unnamed = defaultPorts[scheme];
  return (
    unnamed !== undefined && from.name === host.name && (from.port ?? unnamed) === (host.port ?? unnamed)
  );
}
