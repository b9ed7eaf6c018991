import { ConsulProvider } from './consul-provider.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import type { DiscoveryError } from './discovery-error.ts';
import type { Instance, ServiceDescription } from './instance.ts';
import type { Acceptance, ServiceList } from './registry-answer.ts';
import { RegistryProvider } from './registry-provider.ts';
import { StaticProvider } from './static-provider.ts';

/** What a provider is made with. */
export interface ProviderContext {
  /** All addresses of the registry; at least one, of one kind. */
  readonly urls: readonly URL[];
  readonly settings: DiscoverySettings;
  /** To be called when the registry answers after a time without. */
  onConnected(): void;
}

/** Makes a provider; throws a RangeError when the address is not one of its kind. */
export type ProviderFactory = (context: ProviderContext) => Provider;

/**
 * Where instances are registered and found: what the client asks of a registry. Every call fails with a `DiscoveryError`
 * or with the reason of its signal, and with nothing else.
 */
export interface Provider {
  /** Whether the last call was answered. */
  readonly status: 'connected' | 'disconnected';
  /** The address that is in use. */
  readonly server: string;
  /** What the lists of this provider are, when they are not old. Default `fresh`. */
  readonly source?: 'fresh' | 'static';
  /** The living instances of a service; an empty list for a name that is not known. */
  find(name: string, signal?: AbortSignal): Promise<ServiceList>;
  /** Registers, or registers again; 409 when another process holds the address. */
  register(service: ServiceDescription, incarnation: string, signal?: AbortSignal): Promise<Acceptance>;
  /** Says that the instance lives; 404 when it has to register again, 409 when another process took it over. */
  heartbeat(instance: Instance, signal?: AbortSignal): Promise<void>;
  /**
   * The same for several at once: what went wrong with each, undefined for those that went well, in the same order.
   * Undefined when the registry takes them one by one only.
   */
  heartbeats?(
    instances: readonly Instance[],
    signal?: AbortSignal,
  ): Promise<readonly (DiscoveryError | undefined)[] | undefined>;
  /** Lets no new callers find the instance (or again), which goes on living. */
  drain(instance: Instance, isDraining: boolean, signal?: AbortSignal): Promise<void>;
  /** Takes the instance out; not an error when it is gone, or another process, by now. */
  deregister(service: ServiceDescription, incarnation: string): Promise<void>;
  /** A stream that tells the registry, by its end, that the process ended; undefined when there is none to be had. */
  session?(instance: Instance, connection: AbortSignal): Promise<Response | undefined>;
  /** One stream of changes of all these services, as server-sent events; undefined when there is none to be had. */
  watch?(
    names: readonly string[],
    lastEventId: string | undefined,
    connection: AbortSignal,
  ): Promise<Response | undefined>;
  /** Answers when the list is another one than `revision`, or after a while: a blocking query for one service. */
  follow?(name: string, revision: string, signal: AbortSignal): Promise<ServiceList>;
}

const factories: Readonly<Record<string, ProviderFactory>> = {
  http: (context) => new RegistryProvider(context),
  https: (context) => new RegistryProvider(context),
  consul: (context) => new ConsulProvider(context),
  'consul+https': (context) => new ConsulProvider(context),
  static: (context) => new StaticProvider(context),
};

/** The provider for an address, by its scheme; those of `more` come first. */
export function chooseProvider(
  context: ProviderContext,
  more: Readonly<Record<string, ProviderFactory>>,
): Provider {
  const scheme = context.urls[0]?.protocol.slice(0, -1) ?? '';
  const all = { ...factories, ...more };
  const factory = Object.hasOwn(all, scheme) ? all[scheme] : undefined;
  if (factory === undefined) {
    throw new RangeError(
      `discoveryClient: serverUrl must begin with ${Object.keys(all).join(':, ')}:, got ${scheme}:` +
        (scheme === 'dns' ? ' (it comes with @mesh/discovery-client/node)' : ''),
    );
  }
  return factory(context);
}
