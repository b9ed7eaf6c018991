import type { DiscoveryEvent } from './discovery-event.ts';
import type { Clock, Random, Timers } from './timers.ts';
import { platformTimers } from './timers.ts';

/** Options of a `DiscoveryClient`. */
export interface DiscoveryClientOptions {
  /** Address of the registry, http or https, a path before the routes allowed. Default `http://localhost:3000`. */
  readonly serverUrl?: string;
  /** Seconds between two heartbeats unless a service says otherwise, 0.05 to 3600. Default 30. */
  readonly defaultHeartbeatInterval?: number;
  /** A list is fresh for the heartbeat interval of its service times this. Default 2. */
  readonly cacheMultiplier?: number;
  /** Milliseconds after which a call to the registry is given up. Default 5000. */
  readonly requestTimeout?: number;
  /** Let the registry push changes where it can; otherwise lists are only refreshed by their time to live. Default true. */
  readonly watch?: boolean;
  /** Bearer token for registries that ask for one. Default none. */
  readonly token?: string;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** Default: `performance`. */
  readonly clock?: Clock;
  /** Default: the platform's timers, which do not keep the process alive. */
  readonly timers?: Timers;
  /** Source of all jitter. Default `Math.random`. */
  readonly random?: Random;
  /** Called for everything worth a log line; what it throws is dropped. Default none. */
  readonly onEvent?: (event: DiscoveryEvent) => void;
}

/** The options, checked and complete. */
export interface DiscoverySettings {
  readonly serverUrl: string;
  readonly defaultHeartbeatInterval: number;
  readonly cacheMultiplier: number;
  readonly requestTimeoutMs: number;
  readonly watch: boolean;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly emit: (event: DiscoveryEvent) => void;
}

/** Checks options and fills in defaults. Throws a RangeError that names the option and the value. */
export function readOptions(options: DiscoveryClientOptions = {}): DiscoverySettings {
  return {
    serverUrl: baseUrl(options.serverUrl ?? 'http://localhost:3000'),
    defaultHeartbeatInterval: within(
      'defaultHeartbeatInterval',
      options.defaultHeartbeatInterval ?? 30,
      0.05,
      3600,
    ),
    cacheMultiplier: within('cacheMultiplier', options.cacheMultiplier ?? 2, 0.1, 1000),
    requestTimeoutMs: within('requestTimeout', options.requestTimeout ?? 5000, 1, 600_000),
    watch: options.watch ?? true,
    token: options.token,
    // Looked up at each call, so that a fetch replaced later (tracing, tests) is the one in use.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock: options.clock ?? performance,
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

function baseUrl(serverUrl: string): string {
  const url = URL.canParse(serverUrl) ? new URL(serverUrl) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new RangeError(`discoveryClient: serverUrl must be an http or https URL, got ${serverUrl}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError('discoveryClient: serverUrl must not carry credentials, use the option token');
  }
  return (url.origin + url.pathname).replace(/\/+$/, '');
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
