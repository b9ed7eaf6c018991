import { DiscoveryClient } from '../discovery-client.ts';
import type { DiscoveryEvent } from '../discovery-event.ts';
import { FakeRegistry, instanceOf } from './fake-registry.ts';
import { streamNoise } from './stream-noise.ts';
import { VirtualTime } from '@mesh/resilience/testing';

/** A client whose streams bring noise, while everything else of the registry is as it should be. */
export class NoisyClient {
  readonly time = new VirtualTime();
  readonly registry = new FakeRegistry(this.time);
  readonly events: DiscoveryEvent[] = [];
  readonly client: DiscoveryClient;
  readonly #random: () => number;
  isNoisy = true;

  constructor(random: () => number) {
    this.#random = random;
    this.registry.upsert(instanceOf('users', 4000));
    this.client = new DiscoveryClient({
      clock: this.time,
      timers: this.time,
      random,
      onEvent: (event) => this.events.push(event),
      fetch: (input, init) => {
        const isStream = /\/(watch|session)/.test(input as string);
        return isStream && this.isNoisy ? Promise.resolve(this.#noise()) : this.registry.fetch(input, init);
      },
    });
  }

  /** Registers, looks up, and lets noise come for a while. */
  async listen(ms: number): Promise<void> {
    await this.client.register({ name: 'users', port: 4001 });
    await this.client.resolve('users');
    await this.time.advance(ms);
  }

  /** What is wrong with the list that callers get; undefined when nothing is. */
  fault(): string | undefined {
    const instances = this.client.peek('users')?.instances;
    if (instances === undefined || !Object.isFrozen(instances)) return 'no list';
    const isWhole = instances.every(
      ({ id, host, port, weight, metadata }) =>
        typeof id === 'string' &&
        typeof host === 'string' &&
        Number.isInteger(port) &&
        weight > 0 &&
        typeof metadata === 'object',
    );
    if (!isWhole) return 'a broken instance';
    return Object.hasOwn(Object.prototype, 'instances') ? 'a polluted prototype' : undefined;
  }

  #noise(): Response {
    const pieces = streamNoise(this.#random);
    const isBroken = this.#random() < 0.5;
    const body = new ReadableStream<Uint8Array>({
      pull(stream) {
        const piece = pieces.shift();
        if (piece !== undefined) stream.enqueue(piece);
        else if (isBroken) stream.error(new TypeError('terminated'));
        else stream.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }
}
