import { afterPrefix, type RequestTarget } from './request-target.ts';

/** One configured route: everything under a prefix goes to one service. */
export interface ProxyRoute {
  /** `/shop`: matches `/shop`, `/shop?x` and `/shop/...`, never `/shopping`. The longest prefix that matches wins. */
  readonly prefix: string;
  /** Name of the service in the registry. */
  readonly service: string;
  /** What the instance gets in the place of the prefix; `/` cuts the prefix off. Default: the path stays as it is. */
  readonly rewrite?: string;
}

/** Where a request goes. */
export interface Destination {
  readonly service: string;
  /** Path for the instance, byte for byte what the client wrote behind the prefix. */
  readonly path: string;
  /** Whether the service's name came from the URL. */
  readonly isDynamic: boolean;
}

interface Entry {
  readonly prefix: string;
  /** undefined: the name is the next segment of the path. */
  readonly service: string | undefined;
  readonly rewrite: string;
}

const servicePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Names that a URL parser would take for an address (`127`, `0x7f000001`) or that mean this machine. */
const addressLike = /^(?:\d+|0x[0-9a-f]*|localhost)$/;

const prefixPattern = /^(?:\/[\w.~-]+)+$/;

/**
 * Whether a text is the name of a service and nothing else. A name that could be read as an address is none: it would
 * lead out of the mesh to a place that the caller chose.
 */
export function isServiceName(name: string): boolean {
  return servicePattern.test(name) && !addressLike.test(name);
}

/**
 * Which service answers a path. Reads the normalised path of a checked target.
 *
 * @throws RangeError when a prefix, a service or a rewrite is not well formed, or a prefix is there twice.
 */
export class RouteTable {
  readonly #entries: readonly Entry[];

  /** @param dynamicPrefix `/api`: `/api/<service>/...` goes to that service. Default: no such route. */
  constructor(routes: readonly ProxyRoute[], dynamicPrefix?: string) {
    const entries = routes.map(readRoute);
    if (dynamicPrefix !== undefined) {
      entries.push({ prefix: readPrefix('dynamicPrefix', dynamicPrefix), service: undefined, rewrite: '' });
    }
    refuseTwins(entries);
    this.#entries = entries.sort((one, other) => other.prefix.length - one.prefix.length);
  }

  /** Where a target goes; undefined when no prefix matches or the name in the URL cannot be a service. */
  match(target: RequestTarget): Destination | undefined {
    for (const entry of this.#entries) {
      if (isUnder(target.normalised, entry.prefix)) return destination(target, entry);
    }
    return undefined;
  }
}

function destination(target: RequestTarget, { prefix, service, rewrite }: Entry): Destination | undefined {
  if (service !== undefined) {
    return { service, path: join(rewrite, afterPrefix(target, prefix.length)), isDynamic: false };
  }
  const start = prefix.length + 1;
  const slash = target.normalised.indexOf('/', start);
  const end = slash === -1 ? target.normalised.length : slash;
  const name = target.normalised.slice(start, end);
  if (!isServiceName(name)) return undefined;
  return { service: name, path: join('', afterPrefix(target, end)), isDynamic: true };
}

function join(rewrite: string, rest: string): string {
  return rewrite + rest === '' ? '/' : rewrite + rest;
}

function isUnder(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

function readRoute({ prefix, service, rewrite }: ProxyRoute): Entry {
  if (!isServiceName(service)) {
    throw new RangeError(
      `proxyRoutes: service must be a name of the registry, got ${JSON.stringify(service)}`,
    );
  }
  return {
    prefix: readPrefix('prefix', prefix),
    service,
    rewrite: rewrite === undefined ? prefix : rewrite === '/' ? '' : readPrefix('rewrite', rewrite),
  };
}

function readPrefix(option: string, text: string): string {
  if (!prefixPattern.test(text) || /\/\.{1,2}(?:\/|$)/.test(text)) {
    throw new RangeError(
      `proxyRoutes: ${option} must look like "/name" without a slash at the end, got ${JSON.stringify(text)}`,
    );
  }
  return text;
}

function refuseTwins(entries: readonly Entry[]): void {
  const seen = new Set<string>();
  for (const { prefix } of entries) {
    if (seen.has(prefix)) throw new RangeError(`proxyRoutes: prefix ${prefix} is there twice`);
    seen.add(prefix);
  }
}
