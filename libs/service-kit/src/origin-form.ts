import type { IncomingMessage } from 'node:http';

const absolute = /^https?:\/\/([^/?#@]+)(.*)$/i;

/**
 * The target of a request without the host that clients of a proxy put into it: a server must take both forms (RFC 9112, 3.2.2). One whose
 * host is not that of `Host` stays as it is, and so leads nowhere.
 */
export function originForm({ url = '/', headers }: Pick<IncomingMessage, 'url' | 'headers'>): string {
  if (url.startsWith('/')) return url;
  const [, authority, rest] = absolute.exec(url) ?? [];
  if (authority === undefined || rest === undefined) return url;
  if (authority.toLowerCase() !== headers.host?.toLowerCase()) return url;
  return rest.startsWith('/') ? rest : `/${rest}`;
}
