import type { DiscoveryClient, DiscoveryEvent, Registration } from '@mesh/discovery-client';
import { createDiscoveryClient } from '@mesh/discovery-client/node';
import type { FastifyBaseLogger } from 'fastify';
import { isLoopback } from './config.ts';
import type { ServiceConfig } from './config.ts';
import type { Identity } from './identity.ts';

/** What this process is in the mesh: a client of the registry, and, once announced, an instance that others find. */
export class Membership {
  /** Finds other services; opens nothing before it is used. */
  readonly discovery: DiscoveryClient;
  readonly #config: ServiceConfig;
  readonly #ending = new AbortController();
  #log: FastifyBaseLogger | undefined;
  #registration: Promise<Registration | undefined> | undefined;
  #silent = false;
  #known = false;

  constructor(config: ServiceConfig) {
    this.#config = config;
    this.discovery = createDiscoveryClient({
      serverUrl: config.DISCOVERY_URL,
      defaultHeartbeatInterval: config.HEARTBEAT_INTERVAL,
      ...(config.MESH_TOKEN !== undefined && { token: config.MESH_TOKEN }),
      onEvent: (event) => {
        if (this.#log !== undefined) this.#hear(event, this.#log);
      },
    });
  }

  /** Registers this instance and keeps it registered, in the background. */
  announce({ service, instance }: Identity, port: number, log: FastifyBaseLogger): void {
    this.#log = log;
    const { HOST, ADVERTISED_HOST, HEARTBEAT_INTERVAL } = this.#config;
    const host = ADVERTISED_HOST ?? (isLoopback(HOST) ? '127.0.0.1' : undefined);
    const description = {
      name: service,
      id: instance,
      port,
      heartbeatInterval: HEARTBEAT_INTERVAL,
      ...(host !== undefined && { host, healthCheckUrl: `http://${inUrl(host)}:${port}/health` }),
    };
    const { signal } = this.#ending;
    this.#registration = this.discovery.register(description, { signal }).catch((error: unknown) => {
      if (!signal.aborted)
        log.error({ err: error, registry: this.#registry }, 'the registry refuses this instance');
      return undefined;
    });
  }

  /** True while the registry has this instance, as far as is known here. */
  get known(): boolean {
    return this.#known;
  }

  /** Takes the instance out of the registry; others are still found. Resolves also when the registry does not answer. */
  async withdraw(): Promise<void> {
    this.#ending.abort();
    await (await this.#registration)?.deregister();
    this.#known = false;
  }

  /** Ends everything that is open to the registry. */
  close(): Promise<void> {
    return this.discovery.close();
  }

  get #registry(): string {
    return this.#config.DISCOVERY_URL;
  }

  /** One warning when the registry falls silent, one line when it is back: not one for each of many tries. */
  #hear(event: DiscoveryEvent, log: FastifyBaseLogger): void {
    if (event.type === 'registered') {
      if (this.#silent || !this.#known) log.info({ registry: this.#registry }, 'registered');
      this.#known = true;
      this.#silent = false;
    } else if (event.type === 'register-failed' || event.type === 'heartbeat-failed') {
      if (!this.#silent)
        log.warn(
          { err: event.error, registry: this.#registry },
          'the registry does not take this instance now; trying again',
        );
      this.#silent = true;
    } else if (event.type === 'connected') {
      if (this.#silent && this.#known) log.info({ registry: this.#registry }, 'the registry answers again');
      this.#silent &&= !this.#known;
    } else if (event.type === 'superseded') {
      this.#known = false;
      log.warn({ registry: this.#registry }, 'another process took this address over');
    }
  }
}

function inUrl(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
