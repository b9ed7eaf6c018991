import type { AlertStore } from './alert-store.ts';
import type { SavedAlerts } from './alert-book.ts';
import type { Timers } from './clock.ts';
import type { Notice } from './notice.ts';
import type { Outgoing } from './notices.ts';
import { abortController } from './signal.ts';
import type { Sink } from './sink.ts';

/** What a courier works with. */
export interface CourierSettings {
  readonly store: AlertStore;
  readonly sinks: readonly Sink[];
  readonly timers: Timers;
  readonly random: () => number;
  /** Longest that one delivery may take, in milliseconds. */
  readonly timeoutMs: number;
  /** A notice is given up after so many failed deliveries to a sink. */
  readonly attempts: number;
  readonly save: () => SavedAlerts;
  /** What sinks have still to take. */
  readonly outbox: () => readonly Outgoing[];
  /** A sink has taken a notice, or never will. */
  readonly settled: (noticeId: string, sink: string) => void;
  readonly fault: (error: unknown) => void;
}

/**
 * Saves first, tells then, and forgets when the sinks have it: after a crash at any point everything that people were told is in the store, and
 * what they may not have heard is delivered again with the same id. A store that fails holds no notice back.
 */
export class Courier {
  readonly #settings: CourierSettings;
  readonly #posts: ReadonlyMap<string, Post>;
  #dirty = false;
  #running: Promise<void> | undefined;

  constructor(settings: CourierSettings) {
    this.#settings = settings;
    this.#posts = new Map(
      settings.sinks.map((sink) => [
        sink.name,
        new Post(sink, settings, () => {
          this.touch();
        }),
      ]),
    );
  }

  /** Something has changed. */
  touch(): void {
    this.#dirty = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when everything is saved. Deliveries under way are not waited for: they are in the store. */
  async close(): Promise<void> {
    for (const post of this.#posts.values()) post.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    // One turn later, so that a crowd of changes is one save.
    await Promise.resolve();
    while (this.#dirty) {
      this.#dirty = false;
      const saved = this.#settings.save();
      try {
        await this.#settings.store.save(saved);
      } catch (error) {
        this.#settings.fault(error);
      }
      // Only what is saved; and no longer what a sink took while it was being saved.
      const ids = new Set(saved.notices.outbox.map(({ notice }) => notice.id));
      for (const outgoing of this.#settings.outbox()) {
        if (ids.has(outgoing.notice.id)) this.#hand(outgoing);
      }
    }
  }

  #hand({ notice, sinks }: Outgoing): void {
    for (const name of sinks) this.#posts.get(name)?.add(notice);
  }
}

/** The way to one sink: one notice after the other. */
class Post {
  readonly #sink: Sink;
  readonly #settings: CourierSettings;
  readonly #touch: () => void;
  readonly #waiting = new Map<string, Notice>();
  #closed = false;
  #busy = false;
  #pause: unknown;

  constructor(sink: Sink, settings: CourierSettings, touch: () => void) {
    this.#sink = sink;
    this.#settings = settings;
    this.#touch = touch;
  }

  add(notice: Notice): void {
    if (this.#closed || this.#waiting.has(notice.id)) return;
    this.#waiting.set(notice.id, notice);
    if (!this.#busy) void this.#work();
  }

  close(): void {
    this.#closed = true;
    this.#settings.timers.clearTimeout(this.#pause);
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (const [id, notice] of this.#waiting) {
      await this.#deliver(notice);
      if (this.#closed) break;
      this.#settings.settled(id, this.#sink.name);
      this.#waiting.delete(id);
      this.#touch();
    }
    this.#busy = false;
  }

  async #deliver(notice: Notice): Promise<void> {
    for (let attempt = 1; !this.#closed; attempt++) {
      try {
        await this.#once(notice);
        return;
      } catch (error) {
        const { permanent, retryAfterMs = 0 } = wishesOf(error);
        const last = attempt >= this.#settings.attempts || permanent === true;
        if (last) this.#settings.fault(error);
        if (last) return;
        await this.#sleep(Math.max(backOff(attempt, this.#settings.random), Math.min(retryAfterMs, 300_000)));
      }
    }
  }

  async #once(notice: Notice): Promise<void> {
    const { timers, timeoutMs } = this.#settings;
    const controller = abortController();
    let timer: unknown;
    const tooLate = new Promise((_, reject) => {
      timer = timers.setTimeout(() => {
        const error = new Error(`sink ${this.#sink.name} took longer than ${timeoutMs} ms`);
        controller.abort(error);
        reject(error);
      }, timeoutMs);
    });
    try {
      await Promise.race([this.#sink.deliver(notice, controller.signal), tooLate]);
    } finally {
      timers.clearTimeout(timer);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pause = this.#settings.timers.setTimeout(resolve, ms);
    });
  }
}

/** 1 s, 2 s, 4 s ... at most a minute, give or take a fifth. */
const backOff = (attempt: number, random: () => number): number =>
  Math.min(60_000, 1000 * 2 ** (attempt - 1)) * (0.8 + 0.4 * random());

function wishesOf(error: unknown): { readonly retryAfterMs?: number; readonly permanent?: boolean } {
  return typeof error === 'object' && error !== null ? error : {};
}
