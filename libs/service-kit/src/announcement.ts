import { DiscoveryClient } from '@mesh/discovery-client';
import type { DiscoveryEvent } from '@mesh/discovery-client';
import type { FastifyBaseLogger } from 'fastify';
import { isLoopback } from './config.ts';
import type { ServiceConfig } from './config.ts';
import type { Identity } from './identity.ts';

/** The registration of a running instance, kept alive in the background from the moment it is made. */
export class Announcement {
  readonly #client: DiscoveryClient;
  readonly #log: FastifyBaseLogger;
  readonly #registry: string;
  #silent = false;
  #known = false;

  constructor(identity: Identity, config: ServiceConfig, port: number, log: FastifyBaseLogger) {
    this.#log = log;
    this.#registry = config.DISCOVERY_URL;
    this.#client = new DiscoveryClient({
      serverUrl: config.DISCOVERY_URL,
      defaultHeartbeatInterval: config.HEARTBEAT_INTERVAL,
      ...(config.MESH_TOKEN !== undefined && { token: config.MESH_TOKEN }),
      onEvent: (event) => {
        this.#hear(event);
      },
    });
    const host = config.ADVERTISED_HOST ?? (isLoopback(config.HOST) ? '127.0.0.1' : undefined);
    const description = {
      name: identity.service,
      id: identity.instance,
      port,
      heartbeatInterval: config.HEARTBEAT_INTERVAL,
      ...(host !== undefined && { host, healthCheckUrl: `http://${inUrl(host)}:${port}/health` }),
    };
    this.#client.register(description).catch((error: unknown) => {
      log.error({ err: error, registry: this.#registry }, 'the registry refuses this instance');
    });
  }

  /** True while the registry has this instance, as far as is known here. */
  get known(): boolean {
    return this.#known;
  }

  /** Takes the instance out of the registry and ends the heartbeats. Resolves also when the registry does not answer. */
  async withdraw(): Promise<void> {
    await this.#client.close();
    this.#known = false;
  }

  /** One warning when the registry falls silent, one line when it is back: not one for each of many tries. */
  #hear(event: DiscoveryEvent): void {
    if (event.type === 'registered') {
      if (this.#silent || !this.#known) this.#log.info({ registry: this.#registry }, 'registered');
      this.#known = true;
      this.#silent = false;
    } else if (event.type === 'register-failed' || event.type === 'heartbeat-failed') {
      if (!this.#silent)
        this.#log.warn(
          { err: event.error, registry: this.#registry },
          'the registry does not take this instance now; trying again',
        );
      this.#silent = true;
    } else if (event.type === 'connected') {
      if (this.#silent && this.#known)
        this.#log.info({ registry: this.#registry }, 'the registry answers again');
      this.#silent &&= !this.#known;
    } else if (event.type === 'superseded') {
      this.#known = false;
      this.#log.warn({ registry: this.#registry }, 'another process took this address over');
    }
  }
}

function inUrl(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
