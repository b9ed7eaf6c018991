import type { DiscoverySettings } from './discovery-client-options.ts';
import { LongPoll } from './long-poll.ts';
import type { Position } from './position.ts';
import type { Provider } from './provider.ts';
import type { ServiceCache } from './service-cache.ts';
import type { OwnName } from './watch-coverage.ts';
import { WatchCoverage } from './watch-coverage.ts';
import type { WatchMessage } from './watch-message.ts';
import { WatchStream } from './watch-stream.ts';

/** What the feed wants to know, and whom it tells. */
export interface FeedSubject {
  /** The registrations of this client. */
  own(): Iterable<OwnName>;
  /** Called after the lists took the message in. */
  onMessage(message: WatchMessage): void;
}

/** Keeps lists up to date in the way the registry offers: one stream for all, a blocking query for each, or none. */
export class ListFeed {
  readonly #settings: DiscoverySettings;
  readonly #coverage: WatchCoverage;
  readonly #stream: WatchStream | undefined;
  readonly #polls: LongPoll | undefined;

  constructor(settings: DiscoverySettings, provider: Provider, cache: ServiceCache, subject: FeedSubject) {
    this.#settings = settings;
    const coverage = new WatchCoverage(settings, cache);
    this.#coverage = coverage;
    if (provider.watch !== undefined) {
      const open = provider.watch.bind(provider);
      this.#stream = new WatchStream(settings, open, {
        open: () => coverage.open([...subject.own()]),
        message: (message) => {
          coverage.apply(message);
          subject.onMessage(message);
        },
        lost: (at) => {
          coverage.lost(at);
        },
        distrust: () => {
          coverage.distrust();
        },
      });
    } else if (provider.follow !== undefined) {
      this.#polls = new LongPoll(settings, cache, provider.follow.bind(provider));
    }
  }

  /** Where the open stream stands; undefined when there is none. */
  get position(): Position | undefined {
    return this.#coverage.position;
  }

  /** Whether the open stream tells about this service. */
  covers(name: string): boolean {
    return this.#coverage.covers(name);
  }

  /** There are other services worth a feed. */
  refresh(): void {
    if (!this.#settings.watch) return;
    this.#stream?.refresh();
    this.#polls?.refresh();
  }

  /** The registry was just heard on another way. */
  hurry(): void {
    this.#stream?.hurry();
    this.#polls?.hurry();
  }

  close(): void {
    this.#stream?.close();
    this.#polls?.close();
  }
}
