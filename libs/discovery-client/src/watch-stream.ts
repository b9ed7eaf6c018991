import type { EventSourceMessage, EventSourceParser } from 'eventsource-parser';
import { createParser } from 'eventsource-parser';
import { Backoff } from './backoff.ts';
import type { DiscoverySettings } from './discovery-client-options.ts';
import { closedError, DiscoveryError } from './discovery-error.ts';
import { Pause } from './pause.ts';
import { maximumAnswerLength, malformed } from './registry-answer.ts';
import type { RegistryApi } from './registry-api.ts';
import type { Subscription } from './watch-coverage.ts';
import type { WatchMessage } from './watch-message.ts';
import { readWatchMessage } from './watch-message.ts';

/** The registry sends something at least every 10 s; after this long without a byte the connection is dead. */
const silenceMs = 25_000;

/** Names asked for within this time of each other share the new connection. */
const gatherMs = 20;

/** Between two connections that are only about more names. */
const reopenSpacingMs = 1000;

/** A registry that offers no watch is asked again this often: it may have been replaced by one that does. */
const unsupportedRetryMs = 300_000;

/** Longest reconnection time that is taken from the registry's `retry:` field. */
const maximumRetryMs = 10_000;

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
  readonly #api: RegistryApi;
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

  constructor(settings: DiscoverySettings, api: RegistryApi, subject: WatchSubject) {
    this.#settings = settings;
    this.#api = api;
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
      const response = await this.#api.watch(names, lastEventId, connection);
      if (response === undefined) {
        this.#settings.emit({ type: 'watch-unsupported' });
        return unsupportedRetryMs;
      }
      await this.#read(response, connection);
      throw new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', 'GET /watch: the stream ended');
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

  async #read(response: Response, connection: AbortController): Promise<void> {
    if (response.body === null) return;
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = this.#parser(connection);
    const stopGuard = this.#guardSilence(connection);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || connection.signal.aborted) return;
        this.#heardAt = this.#settings.clock.now();
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      stopGuard();
      reader.cancel().catch(() => undefined);
    }
  }

  #parser(connection: AbortController): EventSourceParser {
    return createParser({
      maxBufferSize: maximumAnswerLength,
      onRetry: (retryMs) => {
        this.#retryMs = Math.min(retryMs, maximumRetryMs);
      },
      onEvent: (event) => {
        // The listener of an earlier event in the same chunk may have ended the connection.
        if (!connection.signal.aborted) this.#receive(event);
      },
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') throw malformed('GET /watch');
      },
    });
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

  /** Aborts the connection after a silence; the timer is moved lazily, so that a busy stream costs none. */
  #guardSilence(connection: AbortController): () => void {
    const { timers, clock } = this.#settings;
    const check = (): void => {
      const leftMs = this.#heardAt + silenceMs - clock.now();
      if (leftMs > 0) timer = timers.set(check, leftMs);
      else connection.abort(silence());
    };
    let timer = timers.set(check, silenceMs);
    return () => {
      timers.clear(timer);
    };
  }

  /** Closing happens while the loop waits, which the compiler cannot see. */
  #isClosed(): boolean {
    return this.#closed;
  }
}

function silence(): DiscoveryError {
  return new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `GET /watch: silent for ${silenceMs} ms`);
}
