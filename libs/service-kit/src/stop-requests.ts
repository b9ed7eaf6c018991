/** Where requests to stop come from; `process` fits. */
export interface StopSource {
  readonly connected?: boolean;
  readonly channel?: { unref(): void } | null | undefined;
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}

/** What to do when asked to stop, and when asked again. */
export interface StopListener {
  /** Asked to stop: by a signal, or because the parent that started this process is gone. */
  readonly onStop: (reason: string) => void;
  /** Asked again by a signal: somebody does not want to wait. */
  readonly onSecondSignal: (signal: NodeJS.Signals) => void;
}

const signals = ['SIGTERM', 'SIGINT'] as const;

/**
 * One Ctrl+C can arrive twice, from the terminal and from npm, some ms apart. A person who asks again takes longer.
 */
const echoMs = 250;

/** Listens for requests to stop. Returns what ends the listening, after which signals have their usual effect again. */
export function onStopRequest(
  source: StopSource,
  { onStop, onSecondSignal }: StopListener,
  clock: { now(): number } = performance,
): () => void {
  let signalledAt: number | undefined;
  const listeners = signals.map((signal) => ({
    event: signal,
    listener: () => {
      const now = clock.now();
      if (signalledAt === undefined) {
        signalledAt = now;
        onStop(signal);
      } else if (now - signalledAt > echoMs) {
        onSecondSignal(signal);
      }
    },
  }));
  const orphaned = {
    event: 'disconnect',
    listener: () => {
      onStop('disconnect');
    },
  };
  const all = source.connected === true ? [...listeners, orphaned] : listeners;
  for (const { event, listener } of all) source.on(event, listener);
  // A listener for its messages makes the channel hold the process; it should end when its work has ended.
  if (source.connected === true) source.channel?.unref();
  return () => {
    for (const { event, listener } of all) source.off(event, listener);
  };
}
