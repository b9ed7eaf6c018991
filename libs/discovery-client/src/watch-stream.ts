import type { EventSourceMessage } from 'eventsource-parser';
import { Backoff } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import { readEvents, streamEnded } from './event-stream.ts';
import { Pause } from './pause.ts';
import type { Subscription } from './watch-coverage.ts';
import type { WatchMessage } from './watch-message.ts';
import { readWatchMessage } from './watch-message.ts';

/** Names asked for within this time of each other share the new connection. */
const gatherMs = 20;

/** Between two connections that are only about more names. */
const reopenSpacingMs = 1000;

/** A registry that offers no watch is asked again this often: it may have been replaced by one that does. */
const unsupportedRetryMs = 300_000;

/** Longest reconnection time that is taken from the registry's `retry:` field. */
const maximumRetryMs = 10_000;

/** Opens a connection; undefined when the registry offers none. */
export type OpenWatch = (
  names: readonly string[],
  lastEventId: string | undefined,
  connection: AbortSignal,
) => Promise<Response | undefined>;

/** What the stream serves. */
export interface WatchSubject {
  /** What to ask for now; undefined: nothing, so no connection. */
  open(): Subscription | undefined;
  message(message: WatchMessage): void;
  /** The connection ended, last heard of at `at`. */
  lost(at: number): void;
  /** A message could not be read. */
  distrust(): void;
}

/**
 * One long-lived stream of server-sent events, opened again whenever it breaks, falls silent, or has to serve other names.
 *
 *   idle --refresh()--> connecting --200--> open --end, error, silence--> waiting (back-off) --> connecting
 *                            \--404, 501--> unsupported (asked again after 5 minutes)
 */
export class WatchStream {
  readonly #settings: DiscoverySettings;
  readonly #openWatch: OpenWatch;
  readonly #subject: WatchSubject;
  readonly #pause: Pause;
  readonly #backoff: Backoff;
  readonly #reopen = new Error('the watch is opened again for other services');
  #running = false;
  #closed = false;
  #connection: AbortController | undefined;
  #reopenTimer: unknown;
  #openedAt = 0;
  #heardAt = 0;
  /** The connection brought at least one message, and none that could not be read. */
  #delivered = false;
  #backingOff = false;
  /** The registry's `retry:` field: spreads the clients that lost their connection at the same moment. */
  #retryMs = 500;

  constructor(settings: DiscoverySettings, openWatch: OpenWatch, subject: WatchSubject) {
    this.#settings = settings;
    this.#openWatch = openWatch;
    this.#subject = subject;
    this.#pause = new Pause(settings.timers);
    this.#backoff = new Backoff(settings.random);
  }

  /** There are other names to watch: opens the stream, or opens it again soon. */
  refresh(): void {
    if (this.#closed) return;
    if (!this.#running) {
      this.#running = true;
      void this.#run();
      return;
    }
    // Without a connection the next one will ask for the new names anyway.
    if (this.#connection === undefined || this.#reopenTimer !== undefined) return;
    const { clock, timers } = this.#settings;
    const dueInMs = Math.max(gatherMs, this.#openedAt + reopenSpacingMs - clock.now());
    this.#reopenTimer = timers.set(() => this.#connection?.abort(this.#reopen), dueInMs);
  }

  /** The registry was just heard on another way: no need to wait for the next try. */
  hurry(): void {
    if (this.#backingOff) this.#pause.wake();
  }

  /** Ends the stream for good. */
  close(): void {
    this.#closed = true;
    this.#connection?.abort(closedError());
    this.#pause.wake();
  }

  async #run(): Promise<void> {
    await this.#pause.wait(gatherMs);
    while (!this.#closed) {
      const subscription = this.#subject.open();
      if (subscription === undefined) break;
      const delayMs = await this.#connect(subscription);
      if (this.#isClosed()) break;
      this.#backingOff = delayMs < unsupportedRetryMs;
      if (delayMs > 0) await this.#pause.wait(delayMs);
      this.#backingOff = false;
    }
    this.#running = false;
  }

  /** Serves one connection to its end. Answers how long to wait before the next. Never rejects. */
  async #connect({ names, lastEventId }: Subscription): Promise<number> {
    const connection = new AbortController();
    this.#connection = connection;
    this.#delivered = false;
    this.#openedAt = this.#heardAt = this.#settings.clock.now();
    try {
      const response = await this.#openWatch(names, lastEventId, connection.signal);
      if (response === undefined) {
        this.#settings.emit({ type: 'watch-unsupported' });
        return unsupportedRetryMs;
      }
      await readEvents('GET /watch', response, connection, this.#settings, {
        onHeard: () => {
          this.#heardAt = this.#settings.clock.now();
        },
        onRetry: (retryMs) => {
          this.#retryMs = Math.min(retryMs, maximumRetryMs);
        },
        onEvent: (event) => {
          this.#receive(event);
        },
      });
      throw streamEnded('GET /watch');
    } catch (error) {
      return this.#delayAfter(connection.signal.aborted ? connection.signal.reason : error);
    } finally {
      this.#settings.timers.clear(this.#reopenTimer);
      this.#reopenTimer = undefined;
      this.#connection = undefined;
      connection.abort(closedError());
      this.#subject.lost(this.#heardAt);
    }
  }

  #delayAfter(error: unknown): number {
    if (this.#closed || error === this.#reopen) return 0;
    const retryAfterMs = error instanceof DiscoveryError ? error.retryAfterMs : undefined;
    const retryInMs = this.#delivered
      ? this.#settings.random() * this.#retryMs
      : this.#backoff.next(retryAfterMs);
    this.#settings.emit({ type: 'watch-lost', error, retryInMs });
    return retryInMs;
  }

  #receive(event: EventSourceMessage): void {
    let message: WatchMessage | undefined;
    try {
      message = readWatchMessage(event);
    } catch (error) {
      this.#delivered = false;
      this.#subject.distrust();
      throw error;
    }
    if (message === undefined) return;
    if (!this.#delivered) this.#backoff.reset();
    this.#delivered = true;
    this.#subject.message(message);
  }

  /** Closing happens while the loop waits, which the compiler cannot see. */
  #isClosed(): boolean {
    return this.#closed;
  }
}
