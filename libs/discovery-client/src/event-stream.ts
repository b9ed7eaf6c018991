import type { EventSourceMessage } from 'eventsource-parser';
import { createParser } from 'eventsource-parser';
import { DiscoveryError } from './discovery-error.ts';
import { maximumAnswerLength, malformed } from './registry-answer.ts';
import type { Clock, Timers } from './timers.ts';

/** The registry sends something at least every 10 s; after this long without a byte the connection is dead. */
const silenceMs = 25_000;

/** What is told about a stream of server-sent events. */
export interface EventStreamListener {
  /** Bytes came, of whatever kind. */
  onHeard?(): void;
  /** What it throws ends the stream and is what {@link readEvents} rejects with. */
  onEvent(event: EventSourceMessage): void;
  /** The registry's `retry:` field. */
  onRetry?(retryMs: number): void;
}

/**
 * Reads events until the stream ends (resolves), breaks, is aborted, or is silent for 25 s (aborts `connection`, rejects). An
 * event longer than 64 MiB is no event of a registry.
 *
 * @param name How errors call the stream, e.g. `GET /watch`.
 */
export async function readEvents(
  name: string,
  response: Response,
  connection: AbortController,
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
  listener: EventStreamListener,
): Promise<void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = createParser({
    maxBufferSize: maximumAnswerLength,
    onRetry: (retryMs) => {
      listener.onRetry?.(retryMs);
    },
    onEvent: (event) => {
      // The listener of an earlier event in the same chunk may have ended the connection.
      if (!connection.signal.aborted) listener.onEvent(event);
    },
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw malformed(name);
    },
  });
  let heardAt = clock.now();
  // Moved lazily, so that a busy stream costs no timer.
  const check = (): void => {
    const leftMs = heardAt + silenceMs - clock.now();
    if (leftMs > 0) timer = timers.set(check, leftMs);
    else connection.abort(silence(name));
  };
  let timer = timers.set(check, silenceMs);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || connection.signal.aborted) return;
      heardAt = clock.now();
      listener.onHeard?.();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    timers.clear(timer);
    reader.cancel().catch(() => undefined);
  }
}

/** The error of a stream that ended although nobody asked for it. */
export function streamEnded(name: string): DiscoveryError {
  return new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `${name}: the stream ended`);
}

function silence(name: string): DiscoveryError {
  return new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `${name}: silent for ${silenceMs} ms`);
}
