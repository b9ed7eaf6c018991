/// <reference types="node" />
import type { SrvRecord } from 'node:dns';
import { promises as dns } from 'node:dns';
import { DiscoveryError } from '../discovery-error.ts';
import type { Instance, ServiceDescription } from '../instance.ts';
import type { Provider, ProviderContext } from '../provider.ts';
import type { Acceptance, ServiceList } from '../registry-answer.ts';
import { acceptedElsewhere, instanceAt } from '../static-provider.ts';

/** A TTL of 0 would ask for every call, one of a week would never see a change. */
const minimumTtlMs = 1000;
const maximumTtlMs = 3600_000;

/** What a name that is not there costs until it is asked for again. */
const absentTtlMs = 5000;

/** RFC 2782: weight 0 is for those that should hardly be chosen. */
const hardly = 0.1;

interface Address {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/**
 * Names of a DNS, as Kubernetes keeps them for headless services: `dns:///{name}.shop.svc.cluster.local?port=8080` for
 * addresses (A, or AAAA where there are none), `dns:///_http._tcp.{name}.shop.svc.cluster.local` for SRV records, which know
 * their ports. `dns://10.0.0.10:53/...` asks that server instead of the system's. Lists live as long as the records say; the
 * TTL of SRV records is that of the addresses behind them, because Node does not tell it.
 */
export class DnsProvider implements Provider {
  readonly server: string;
  readonly #context: ProviderContext;
  readonly #servers: readonly string[];
  readonly #template: string;
  readonly #port: number;
  #status: 'connected' | 'disconnected' = 'disconnected';

  constructor(context: ProviderContext) {
    const [url] = context.urls;
    if (url === undefined) throw new RangeError('discoveryClient: serverUrl must name a server, got none');
    this.#context = context;
    this.server = url.href;
    this.#servers = context.urls.map(({ host }) => host).filter((host) => host !== '');
    this.#template = decodeURIComponent(url.pathname.slice(1));
    this.#port = Number(url.searchParams.get('port') ?? 0);
    const isKnown = this.#asksForServices || (this.#port >= 1 && this.#port <= 65_535);
    if (!this.#template.includes('{name}') || !Number.isInteger(this.#port) || !isKnown) {
      const rule = 'dns:///{name}.<domain>?port=<port> or dns:///_<port>._tcp.{name}.<domain>';
      throw new RangeError(`discoveryClient: serverUrl must be ${rule}, got ${url.href}`);
    }
  }

  get status(): 'connected' | 'disconnected' {
    return this.#status;
  }

  async find(name: string, signal?: AbortSignal): Promise<ServiceList> {
    const domain = this.#template.replaceAll('{name}', name);
    const resolver = this.#resolver();
    const cancel = (): void => {
      resolver.cancel();
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const found = this.#asksForServices
        ? await findServices(resolver, name, domain)
        : instancesAt(name, await findAddresses(resolver, domain), this.#port);
      this.#answered();
      return { ...found, revision: '', position: undefined };
    } catch (error) {
      throw this.#failure(domain, error, signal);
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
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

  get #asksForServices(): boolean {
    return this.#template.startsWith('_');
  }

  /** One for each question: it can be cancelled without the others. */
  #resolver(): dns.Resolver {
    const tries = 2;
    const { requestTimeoutMs } = this.#context.settings;
    const resolver = new dns.Resolver({ timeout: Math.ceil(requestTimeoutMs / (tries + 1)), tries });
    if (this.#servers.length > 0) resolver.setServers([...this.#servers]);
    return resolver;
  }

  #answered(): void {
    if (this.#status === 'connected') return;
    this.#status = 'connected';
    this.#context.settings.emit({ type: 'connected' });
    this.#context.onConnected();
  }

  #failure(domain: string, error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    const failure = new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `DNS does not answer for ${domain}`, {
      cause: error,
    });
    if (this.#status === 'connected') this.#context.settings.emit({ type: 'disconnected', error: failure });
    this.#status = 'disconnected';
    return failure;
  }
}

type Found = Pick<ServiceList, 'instances' | 'ttlMs'>;

/** A, or AAAA where there is none: an instance with both must not count twice. */
async function findAddresses(resolver: dns.Resolver, domain: string): Promise<readonly Address[]> {
  const four = await resolver.resolve4(domain, { ttl: true }).catch(ifAbsent);
  return four.length > 0 ? four : await resolver.resolve6(domain, { ttl: true }).catch(ifAbsent);
}

/** The records of the best priority only: the others are for when all of these are gone. */
async function findServices(resolver: dns.Resolver, name: string, domain: string): Promise<Found> {
  const records = await resolver.resolveSrv(domain).catch(ifAbsent<SrvRecord>);
  const best = Math.min(...records.map(({ priority }) => priority));
  const found = await Promise.all(
    records
      .filter(({ priority }) => priority === best)
      .map(async (record) => {
        const addresses = await findAddresses(resolver, record.name);
        return instancesAt(name, addresses, record.port, record.weight || hardly);
      }),
  );
  const ttls = found.map(({ ttlMs }) => ttlMs ?? absentTtlMs);
  return {
    instances: found.flatMap(({ instances }) => instances),
    ttlMs: ttls.length === 0 ? absentTtlMs : Math.min(...ttls),
  };
}

function instancesAt(name: string, addresses: readonly Address[], port: number, weight = 1): Found {
  const instances: Instance[] = addresses.map(({ address }) => instanceAt(name, address, port, weight));
  const ttlMs = addresses.length === 0 ? absentTtlMs : Math.min(...addresses.map(({ ttl }) => ttl)) * 1000;
  return { instances, ttlMs: Math.min(Math.max(ttlMs, minimumTtlMs), maximumTtlMs) };
}

/** No such name, or none of this type: an answer, not a failure. */
function ifAbsent<T = never>(error: unknown): T[] {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
  throw error;
}
