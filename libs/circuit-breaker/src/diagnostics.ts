import type { CircuitEventName, CircuitEvents } from './events.ts';

/** A breaker, or a set of them. */
export interface EventSource {
  on<K extends CircuitEventName>(type: K, listener: (event: CircuitEvents[K]) => unknown): () => void;
}

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

declare const process: {
  getBuiltinModule(id: 'node:diagnostics_channel'): { channel(name: string): Channel };
};

const types: readonly CircuitEventName[] = [
  'stateChange',
  'success',
  'failure',
  'ignored',
  'rejected',
  'fault',
];

/**
 * Publishes the events of a breaker (or of `CircuitBreakers`) on Node's diagnostics channels `mesh:circuit-breaker:<event>`, with the event as
 * the message. Without `types` all are published; name only what you read, since an event that somebody listens to costs the call that causes it.
 *
 * @returns the way to stop.
 */
export function publishDiagnostics(
  source: EventSource,
  published: readonly CircuitEventName[] = types,
): () => void {
  const diagnostics = process.getBuiltinModule('node:diagnostics_channel');
  const stops = published.map((type) => {
    const events = diagnostics.channel(`mesh:circuit-breaker:${type}`);
    return source.on(type, (event) => {
      if (events.hasSubscribers) events.publish(event);
    });
  });
  return () => {
    for (const stop of stops) stop();
  };
}
