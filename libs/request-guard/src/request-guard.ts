import { isSameHost, parseHost, parseOrigin, serializeOrigin } from './host.ts';
import type { Host } from './host.ts';
import { bearerToken, isSameText } from './token.ts';

/** What {@link requestGuard} takes. */
export interface GuardOptions {
  /** Secret that a caller must present as `Authorization: Bearer <token>`; visible ASCII. Default: none is asked for. */
  readonly token?: string;
  /**
   * Hosts under which this server may be addressed: `name` (any port) or `name:port`, IPv6 in brackets.
   * Default: the loopback names `localhost`, `127.0.0.1` and `[::1]`, any port.
   */
  readonly allowedHosts?: readonly string[];
  /** Origins of pages that may call, besides those of the same host: `scheme://host[:port]`. Default: none. */
  readonly allowedOrigins?: readonly string[];
}

/** The part of a request that the guard reads; a Node or Fastify request fits. */
export interface GuardedRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Why a request may not pass. `ERR_FORBIDDEN` is a 403, `ERR_UNAUTHORIZED` a 401; `detail` holds no secret. */
export interface Refusal {
  readonly code: 'ERR_FORBIDDEN' | 'ERR_UNAUTHORIZED';
  readonly detail: string;
}

/** Answers undefined when the request may pass, otherwise why not. Pure: it keeps nothing between calls. */
export type RequestGuard = (request: GuardedRequest) => Refusal | undefined;

const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'] as const;

/**
 * A guard for routes that change things: `Host` must be allowed (against DNS rebinding), `Origin`, when there is one,
 * must be this same host or allowed (against forged requests from pages), and the bearer token must be right when one
 * is configured.
 *
 * @throws RangeError naming the option that makes no sense.
 */
export function requestGuard(options: GuardOptions = {}): RequestGuard {
  const { token } = options;
  const hosts = readHosts(options.allowedHosts ?? loopbackHosts);
  const origins = readOrigins(options.allowedOrigins ?? []);
  if (token !== undefined && !/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new RangeError('requestGuard: token must be 1 to 4096 visible ASCII characters');
  }
  return (request) => {
    const host = allowedHost(request, hosts);
    if (host === undefined) return forbidden('Host', values(request, 'host'));
    if (!isOriginAllowed(request, host, origins)) return forbidden('Origin', values(request, 'origin'));
    if (token === undefined || isPreflight(request) || isAuthorized(request, token)) return undefined;
    return { code: 'ERR_UNAUTHORIZED', detail: 'Authorization: Bearer <token> is missing or wrong' };
  };
}

function readHosts(texts: readonly string[]): readonly Host[] {
  if (texts.length === 0) throw new RangeError('requestGuard: allowedHosts must name at least one host');
  return texts.map((text) => parseHost(text) ?? refuseOption('allowedHosts', 'name[:port]', text));
}

function readOrigins(texts: readonly string[]): ReadonlySet<string> {
  return new Set(
    texts.map((text) =>
      serializeOrigin(parseOrigin(text) ?? refuseOption('allowedOrigins', 'scheme://host[:port]', text)),
    ),
  );
}

function refuseOption(option: string, shape: string, text: string): never {
  throw new RangeError(`requestGuard: ${option} must hold ${shape}, got ${JSON.stringify(text)}`);
}

/** Every value under that name, however it is spelt: a header that was overlooked would be a check that was skipped. */
function values({ headers }: GuardedRequest, name: string): readonly string[] {
  return Object.entries(headers).flatMap(([key, value]) =>
    value === undefined || key.toLowerCase() !== name ? [] : value,
  );
}

function allowedHost(request: GuardedRequest, allowed: readonly Host[]): Host | undefined {
  const [text, ...more] = values(request, 'host');
  const host = text === undefined || more.length > 0 ? undefined : parseHost(text);
  if (host === undefined) return undefined;
  return allowed.some(({ name, port }) => name === host.name && (port === undefined || port === host.port))
    ? host
    : undefined;
}

function isOriginAllowed(request: GuardedRequest, host: Host, allowed: ReadonlySet<string>): boolean {
  const [text, ...more] = values(request, 'origin');
  if (text === undefined) return true;
  const origin = more.length > 0 ? undefined : parseOrigin(text);
  return origin !== undefined && (isSameHost(origin, host) || allowed.has(serializeOrigin(origin)));
}

/** A browser sends its CORS preflight without credentials, so no token can be asked for there; it changes nothing. */
function isPreflight(request: GuardedRequest): boolean {
  return request.method === 'OPTIONS' && values(request, 'access-control-request-method').length === 1;
}

function isAuthorized(request: GuardedRequest, token: string): boolean {
  const [text, ...more] = values(request, 'authorization');
  const presented = text === undefined || more.length > 0 ? undefined : bearerToken(text);
  return presented !== undefined && isSameText(presented, token);
}

function forbidden(header: string, texts: readonly string[]): Refusal {
  const shown = texts.length === 1 ? JSON.stringify(texts[0]?.slice(0, 80)) : `given ${texts.length} times`;
  return { code: 'ERR_FORBIDDEN', detail: `${header} ${shown} is not allowed here` };
}
