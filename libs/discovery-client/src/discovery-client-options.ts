import type { DiscoveryEvent } from './discovery-event.ts';
import type { Reacher } from './held-check.ts';
import { isServiceName } from './instance.ts';
import { platformStream } from './platform-stream.ts';
import type { ProviderFactory } from './provider.ts';
import { readServerUrls } from './server-urls.ts';
import type { SnapshotStore } from './list-snapshot.ts';
import type { Clock, Random, Timers } from './timers.ts';
import { platformTimers } from './timers.ts';

/** Options of a `DiscoveryClient`. */
export interface DiscoveryClientOptions {
  /**
   * Address of the registry; its scheme says what kind it is: `http:` and `https:` (`@mesh/discovery-server`, a path before the
   * routes allowed), `consul:`, `consul+https:`, `static:`, and those of `providers`. Several servers of one registry as an
   * array, or with commas: any of them will do. Default `http://localhost:3000`.
   */
  readonly serverUrl?: string | readonly string[];
  /** Where to register and look, for registries that several systems share: a service name. Default `default`. */
  readonly namespace?: string;
  /** Seconds between two heartbeats unless a service says otherwise, 0.05 to 3600. Default 30. */
  readonly defaultHeartbeatInterval?: number;
  /** A list is fresh for the heartbeat interval of its service times this. Default 2. */
  readonly cacheMultiplier?: number;
  /** Milliseconds after which a call to the registry is given up. Default 5000. */
  readonly requestTimeout?: number;
  /** Let the registry push changes where it can; otherwise lists are only refreshed by their time to live. Default true. */
  readonly watch?: boolean;
  /** Milliseconds for which the last list is served while the registry does not answer. Default 24 hours. */
  readonly staleIfErrorMs?: number;
  /**
   * An answer that lacks more than this share of the instances known so far, or all of them, without the registry saying that
   * they left, is doubted: they are kept for one lease. 1 believes everything. Default 0.5.
   */
  readonly guardRatio?: number;
  /**
   * Tries the addresses of instances that are kept although an answer lacks them: who refuses a connection is dropped at once.
   * Default none; `@mesh/discovery-client/node` connects by TCP.
   */
  readonly reach?: Reacher;
  /** Keeps the lists beyond the life of the process; see `snapshotFile` of `@mesh/discovery-client/node`. Default none. */
  readonly snapshot?: SnapshotStore;
  /** More kinds of registries, by the scheme of their address. */
  readonly providers?: Readonly<Record<string, ProviderFactory>>;
  /** Hold a connection open for each registration where the registry offers it, so that it sees at once when the process dies. Default true. */
  readonly session?: boolean;
  /** Bearer token for registries that ask for one. Default none. */
  readonly token?: string;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** Default: `performance`. */
  readonly clock?: Clock;
  /** Milliseconds since 1970, for the age of a snapshot and nothing else. Default `Date`. */
  readonly wallClock?: Clock;
  /** Default: the platform's timers, which do not keep the process alive. */
  readonly timers?: Timers;
  /** Source of all jitter. Default `Math.random`. */
  readonly random?: Random;
  /** Called for everything worth a log line; what it throws is dropped. Default none. */
  readonly onEvent?: (event: DiscoveryEvent) => void;
}

/** The options, checked and complete. */
export interface DiscoverySettings {
  readonly serverUrls: readonly URL[];
  readonly namespace: string | undefined;
  readonly session: boolean;
  readonly defaultHeartbeatInterval: number;
  readonly cacheMultiplier: number;
  readonly requestTimeoutMs: number;
  readonly watch: boolean;
  readonly staleIfErrorMs: number;
  readonly guardRatio: number;
  readonly reach: Reacher | undefined;
  readonly snapshot: SnapshotStore | undefined;
  readonly providers: Readonly<Record<string, ProviderFactory>>;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
  /** `fetch` for answers that stream for long: it does not keep the process alive where it can help it. */
  readonly openStream: typeof fetch;
  readonly clock: Clock;
  readonly wallClock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly emit: (event: DiscoveryEvent) => void;
}

/** Checks options and fills in defaults. Throws a RangeError that names the option and the value. */
export function readOptions(options: DiscoveryClientOptions = {}): DiscoverySettings {
  return {
    serverUrls: readServerUrls(options.serverUrl ?? 'http://localhost:3000'),
    namespace: readNamespace(options.namespace),
    session: options.session ?? true,
    defaultHeartbeatInterval: within(
      'defaultHeartbeatInterval',
      options.defaultHeartbeatInterval ?? 30,
      0.05,
      3600,
    ),
    cacheMultiplier: within('cacheMultiplier', options.cacheMultiplier ?? 2, 0.1, 1000),
    requestTimeoutMs: within('requestTimeout', options.requestTimeout ?? 5000, 1, 600_000),
    watch: options.watch ?? true,
    staleIfErrorMs: within('staleIfErrorMs', options.staleIfErrorMs ?? 24 * 3600_000, 0, 365 * 24 * 3600_000),
    guardRatio: within('guardRatio', options.guardRatio ?? 0.5, 0, 1),
    reach: options.reach,
    snapshot: options.snapshot,
    providers: { ...options.providers },
    token: options.token,
    // Looked up at each call, so that a fetch replaced later (tracing, tests) is the one in use.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    openStream: options.fetch ?? platformStream,
    clock: options.clock ?? performance,
    wallClock: options.wallClock ?? Date,
    timers: options.timers ?? platformTimers,
    random: options.random ?? Math.random,
    emit: quiet(options.onEvent),
  };
}

/** Throws a RangeError unless `value` is a number from `minimum` to `maximum`. */
export function within(option: string, value: number, minimum: number, maximum: number): number {
  if (typeof value === 'number' && value >= minimum && value <= maximum) return value;
  throw new RangeError(
    `discoveryClient: ${option} must be from ${minimum} to ${maximum}, got ${String(value)}`,
  );
}

function readNamespace(namespace: string | undefined): string | undefined {
  if (namespace !== undefined && !isServiceName(namespace))
    throw new RangeError(`discoveryClient: namespace must be like a service name, got ${namespace}`);
  return namespace === 'default' ? undefined : namespace;
}

/** A listener that fails must not fail what it listens to. */
function quiet(onEvent: ((event: DiscoveryEvent) => void) | undefined): (event: DiscoveryEvent) => void {
  return (event) => {
    try {
      onEvent?.(event);
    } catch {
      // Reporting has nowhere to report to.
    }
  };
}
