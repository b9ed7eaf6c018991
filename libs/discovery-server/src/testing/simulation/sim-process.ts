import { DiscoveryClient } from '@mesh/discovery-client';
import type { DiscoveryClientOptions, Registration } from '@mesh/discovery-client';
import { SimHost } from './sim-host.ts';
import type { SimNetwork } from './sim-network.ts';
import type { SimTime } from './sim-time.ts';

/** What processes are made with. */
export interface ProcessWorld {
  readonly time: SimTime;
  readonly network: SimNetwork;
  readonly wallClock: { now(): number };
  random(): number;
}

/** A process with a real client in it: it looks services up, and may be one. */
export class SimProcess {
  readonly host: SimHost;
  readonly client: DiscoveryClient;
  readonly #time: SimTime;
  registration: Registration | undefined;
  /** When the registry first accepted it. */
  registeredAt: number | undefined;
  /** When it was killed, or said goodbye. */
  endedAt: number | undefined;
  hasSession = false;

  constructor(world: ProcessWorld, address: string, options: DiscoveryClientOptions = {}) {
    const { time, network, wallClock } = world;
    this.#time = time;
    this.host = new SimHost(time, address);
    this.client = new DiscoveryClient({
      serverUrl: 'http://registry',
      fetch: network.fetchOf(this.host),
      clock: time,
      wallClock,
      timers: this.host.timers,
      random: () => world.random(),
      onEvent: ({ type }) => {
        if (type === 'session-open') this.hasSession = true;
        if (type === 'session-lost') this.hasSession = false;
      },
      ...options,
    });
  }

  get incarnation(): string | undefined {
    return this.registration?.instance.incarnation;
  }

  /** Becomes an instance, as soon as the registry accepts. */
  serve(name: string, heartbeatInterval: number): void {
    const { address } = this.host;
    this.client
      .register({ name, host: address, port: 4000, heartbeatInterval })
      .then((registration) => {
        this.registration = registration;
        this.registeredAt = this.#time.now();
      })
      .catch(() => undefined);
  }

  /** kill -9. */
  kill(): void {
    this.endedAt = this.#time.now();
    this.host.kill();
  }

  /** Says goodbye. */
  leave(): void {
    this.endedAt = this.#time.now();
    void this.client.close().then(() => {
      this.host.kill();
    });
  }
}
