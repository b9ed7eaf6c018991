import { Backoff } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import { readEvents, streamEnded } from './event-stream.ts';
import type { Instance } from './instance.ts';
import { Pause } from './pause.ts';
import type { Provider } from './provider.ts';
import { parseObject } from './registry-answer.ts';

/** A registry without sessions is asked again this often: it may have been replaced by one that has them. */
const unsupportedRetryMs = 300_000;

/** Those that lose their session at the same moment spread over this. */
const reopenJitterMs = 500;

/** Why a registry ended a session, or would not open one; after either a heartbeat tells more. */
export type SessionEnd = 'removed' | 'replaced';

/**
 * A connection that the registry watches instead of a clock: the kernel closes it when the process dies. It is opened again
 * whenever it breaks; heartbeats go on beside it, so a registry without sessions loses nothing but speed.
 */
export class Session {
  readonly #settings: DiscoverySettings;
  readonly #provider: Provider;
  readonly #onEnd: (end: SessionEnd) => void;
  readonly #pause: Pause;
  readonly #backoff: Backoff;
  #connection: AbortController | undefined;
  #instance: Instance | undefined;
  #isRunning = false;

  /** @param onEnd The registry does not have this instance (any more). */
  constructor(settings: DiscoverySettings, provider: Provider, onEnd: (end: SessionEnd) => void) {
    this.#settings = settings;
    this.#provider = provider;
    this.#onEnd = onEnd;
    this.#pause = new Pause(settings.timers);
    this.#backoff = new Backoff(settings.random);
  }

  /** Opens the session of an accepted registration, or again after another acceptance. */
  open(instance: Instance): void {
    this.#instance = instance;
    if (!this.#settings.session || this.#provider.session === undefined) return;
    if (this.#isRunning) this.#pause.wake();
    else void this.#run();
  }

  /** Ends it for good; the goodbye of the registration has to be told first, or the registry takes it for a death. */
  close(): void {
    this.#instance = undefined;
    this.#connection?.abort(closedError());
    this.#pause.wake();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#instance !== undefined) {
      const delayMs = await this.#connect(this.#instance);
      if (this.#isOpen()) await this.#pause.wait(delayMs);
    }
    this.#isRunning = false;
  }

  /** Holds one connection to its end. Answers how long to wait before the next. Never rejects. */
  async #connect(instance: Instance): Promise<number> {
    const connection = new AbortController();
    this.#connection = connection;
    let isOpened = false;
    try {
      const response = await this.#provider.session?.(instance, connection.signal);
      if (response === undefined) return unsupportedRetryMs;
      await readEvents('POST /session', response, connection, this.#settings, {
        onEvent: ({ event, data }) => {
          if (event === 'open') {
            isOpened = true;
            this.#backoff.reset();
            this.#settings.emit({ type: 'session-open', instance });
          } else if (event === 'close') this.#learn(parseObject(data)?.['reason']);
        },
      });
      throw streamEnded('POST /session');
    } catch (error) {
      return this.#delayAfter(
        instance,
        connection.signal.aborted ? connection.signal.reason : error,
        isOpened,
      );
    } finally {
      this.#connection = undefined;
      connection.abort(closedError());
    }
  }

  #learn(reason: unknown): void {
    if (reason === 'removed' || reason === 'replaced') this.#onEnd(reason);
  }

  #delayAfter(instance: Instance, error: unknown, isOpened: boolean): number {
    if (!this.#isOpen()) return 0;
    const { status, retryAfterMs } = error instanceof DiscoveryError ? error : {};
    this.#settings.emit({ type: 'session-lost', instance, error });
    if (status === 404) this.#onEnd('removed');
    if (status === 409) this.#onEnd('replaced');
    return isOpened ? this.#settings.random() * reopenJitterMs : this.#backoff.next(retryAfterMs);
  }

  /** Closing happens while the loop waits, which the compiler cannot see. */
  #isOpen(): boolean {
    return this.#instance !== undefined;
  }
}
