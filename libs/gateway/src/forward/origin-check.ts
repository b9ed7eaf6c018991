import { valuesOf, type RawHeaders } from './hop-headers.ts';

const anyPort = /:(?:80|443)$/;

/**
 * Whether a handshake may come from the page that it comes from. A browser sends cookies with a WebSocket whatever page opened it and asks no
 * one (cross-site WebSocket hijacking), so `Origin` must be the gateway's own host or one of the list. Programs send none.
 */
export function isOriginAllowed(
  raw: RawHeaders,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  const origins = valuesOf(raw, 'origin');
  if (origins.length === 0) return true;
  const [origin = ''] = origins;
  if (origins.length > 1) return false;
  if (allowed.includes('*') || allowed.includes(origin)) return true;
  const own = /^https?:\/\/(.+)$/i.exec(origin)?.[1];
  return own !== undefined && host !== undefined && plain(own) === plain(host);
}

function plain(host: string): string {
  return host.toLowerCase().replace(anyPort, '');
}
