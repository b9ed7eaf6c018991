import { endToEnd, isMeshOwned, valuesOf, type RawHeaders } from './hop-headers.ts';

/** Headers as Fastify's `reply.getHeaders()` gives them. */
export type ReplyHeaders = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Headers of a request for an instance: the client's end-to-end fields as they came, then ours. */
export function requestHeaders(raw: RawHeaders, forwarded: readonly string[]): string[] {
  const headers = endToEnd(raw, isDroppedFromRequest);
  headers.push(...forwarded);
  return headers;
}

/**
 * Headers of an answer for the client: the upstream's end-to-end fields as they came, then what the gateway's own hooks had put on the
 * reply (CORS, security) where the upstream says nothing of that name. Rules of CORS are the gateway's alone when it has
 * any. `x-instance` names who answered, even when the instance does not say it.
 */
export function responseHeaders(raw: RawHeaders, own: ReplyHeaders, instance: string | undefined): string[] {
  const ownCors = own['access-control-allow-origin'] !== undefined;
  const headers = endToEnd(raw, (name) => ownCors && name.startsWith('access-control-'));
  if (instance !== undefined && valuesOf(headers, 'x-instance').length === 0) {
    headers.push('x-instance', instance);
  }
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined || (name !== 'vary' && valuesOf(headers, name).length > 0)) continue;
    for (const one of typeof value === 'object' ? value : [value]) headers.push(name, String(one));
  }
  return headers;
}

/** Undici's raw headers (buffers) as latin1 text, which is how Node writes them again: byte for byte. */
export function rawPairs(
  raw: unknown,
  parsed: Readonly<Record<string, string | string[] | undefined>>,
): string[] {
  if (Array.isArray(raw)) return raw.map(latin1);
  return Object.entries(parsed).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((one) => [name, one]),
  );
}

function latin1(part: unknown): string {
  return typeof part === 'string' ? part : (part as Buffer).toString('latin1');
}

/** `Expect` was answered by this server already. */
function isDroppedFromRequest(name: string): boolean {
  return name === 'expect' || isMeshOwned(name);
}
