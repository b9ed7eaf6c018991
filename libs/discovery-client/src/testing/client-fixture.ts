import type { DiscoveryClientOptions } from '../discovery-client-options.ts';
import { DiscoveryClient } from '../discovery-client.ts';
import type { DiscoveryEvent } from '../discovery-event.ts';
import { FakeRegistry } from './fake-registry.ts';
import { VirtualTime } from '@mesh/resilience/testing';

/** A client, the registry it talks to, and the time both live in. */
export interface Fixture {
  readonly time: VirtualTime;
  readonly registry: FakeRegistry;
  readonly client: DiscoveryClient;
  readonly events: DiscoveryEvent[];
  /** Events of one type. */
  of<T extends DiscoveryEvent['type']>(type: T): Extract<DiscoveryEvent, { type: T }>[];
}

/** Jitter is in the middle (factor 1) unless `random` says otherwise. */
export function fixture(options: DiscoveryClientOptions = {}): Fixture {
  const time = new VirtualTime();
  const registry = new FakeRegistry(time);
  const events: DiscoveryEvent[] = [];
  const client = new DiscoveryClient({
    clock: time,
    timers: time,
    fetch: registry.fetch,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return {
    time,
    registry,
    client,
    events,
    of<T extends DiscoveryEvent['type']>(type: T) {
      return events.filter((event): event is Extract<DiscoveryEvent, { type: T }> => event.type === type);
    },
  };
}
