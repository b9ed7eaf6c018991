import type { Instance, ServiceDescription } from './instance.ts';
import { isServiceName } from './instance.ts';
import type { Provider, ProviderContext } from './provider.ts';
import type { Acceptance, ServiceList } from './registry-answer.ts';

/** Addresses by service name. */
export type ServiceTable = ReadonlyMap<string, readonly Instance[]>;

/** Where a table comes from: read again when a list is due, so it may change. */
export type TableSource = () => ServiceTable | Promise<ServiceTable>;

/** Reads the addresses of a service again this often. */
const defaultTtlMs = 30_000;

/**
 * Lists that somebody else keeps: written in the address itself (`static:user-service=10.0.0.1:4000,10.0.0.2:4000;order-service=...`),
 * or, with `@mesh/discovery-client/node`, in the environment or in a file. Who registers here is told that it worked: the
 * one that wrote the list has seen to it already.
 */
export class StaticProvider implements Provider {
  readonly source = 'static';
  readonly status = 'connected';
  readonly server: string;
  readonly #table: TableSource;
  readonly #ttlMs: number;

  constructor({ urls }: ProviderContext, table?: TableSource, ttlMs = defaultTtlMs) {
    const [url] = urls;
    this.server = url?.href ?? 'static:';
    const written = table === undefined ? parseTable(decodeURIComponent(url?.pathname ?? '')) : undefined;
    this.#table = table ?? (() => written ?? new Map<string, readonly Instance[]>());
    this.#ttlMs = ttlMs;
  }

  async find(name: string): Promise<ServiceList> {
    const table = await this.#table();
    return { instances: table.get(name) ?? [], revision: '', position: undefined, ttlMs: this.#ttlMs };
  }

  register(service: ServiceDescription, incarnation: string): Promise<Acceptance> {
    return Promise.resolve(acceptedElsewhere(service, incarnation));
  }

  heartbeat(): Promise<void> {
    return Promise.resolve();
  }

  drain(): Promise<void> {
    return Promise.resolve();
  }

  deregister(): Promise<void> {
    return Promise.resolve();
  }
}

/** The registration of an instance that the platform makes known by its own means. */
export function acceptedElsewhere(service: ServiceDescription, incarnation: string): Acceptance {
  const { name, port, host = 'localhost', id = `${host}:${port}`, ...more } = service;
  const instance = { ...instanceAt(name, host, port, more.weight), ...more, id, incarnation };
  return { instance: Object.freeze(instance), position: undefined };
}

/** An instance of which only the address is known. */
export function instanceAt(name: string, host: string, port: number, weight = 1): Instance {
  return Object.freeze({
    id: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    name,
    host,
    port,
    weight,
    metadata: Object.freeze({}),
    status: 'up',
    heartbeatInterval: 30,
    incarnation: '',
    registeredAt: '',
    lastHeartbeat: '',
  });
}

/** Reads `name=host:port,host:port;name=...`. Throws a RangeError naming the part that is none. */
export function parseTable(text: string): ServiceTable {
  const table = new Map<string, readonly Instance[]>();
  for (const part of text.split(';').filter((one) => one.trim() !== '')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, equals).trim();
    if (equals < 0 || !isServiceName(name)) throw wrongAddress(part);
    table.set(name, parseAddresses(name, part.slice(equals + 1)));
  }
  return table;
}

/** Reads `host:port,http://host:port,...`, where a URL may leave out the port of its scheme. */
export function parseAddresses(name: string, text: string): readonly Instance[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map((one) => parseAddress(name, one));
}

function parseAddress(name: string, text: string): Instance {
  const address = text.includes('://') ? text : `tcp://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const standard = { 'http:': 80, 'https:': 443 }[url?.protocol ?? ''];
  const port = url === undefined || url.port === '' ? standard : Number(url.port);
  if (url === undefined || url.hostname === '' || port === undefined || port === 0) throw wrongAddress(text);
  return instanceAt(name, url.hostname.replace(/^\[|\]$/g, ''), port);
}

function wrongAddress(text: string): RangeError {
  return new RangeError(`discoveryClient: static services must be name=host:port,..., got ${text}`);
}
