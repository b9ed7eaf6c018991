import { noticeOf, type Notice, type NoticeItem } from './notice.ts';
import { isAtLeast, type Severity } from './severity.ts';

/** How much at once, and how often, people are told. */
export interface NoticeOptions {
  /** So long the first alert of a group waits for others, in milliseconds. A page waits for nobody. Default 30 000. */
  readonly groupWaitMs?: number;
  /** Least time between two notices of a group about new trouble, in milliseconds. Default 300 000. */
  readonly groupIntervalMs?: number;
  /** An alert that nobody acknowledges is told again so often, in milliseconds. Default 14 400 000 (4 h). */
  readonly repeatMs?: number;
  /** What belongs together. Default: the service. */
  readonly groupBy?: (alert: NoticeItem['alert']) => string;
}

interface Queued {
  readonly group: string;
  readonly dueAt: number;
  readonly item: NoticeItem;
}

/** A notice, and the sinks that have not taken it yet. */
export interface Outgoing {
  readonly notice: Notice;
  readonly sinks: readonly string[];
}

/** What of it outlives a restart. */
export interface SavedNotices {
  readonly queued: readonly Queued[];
  readonly outbox: readonly Outgoing[];
  readonly lastSent: readonly (readonly [group: string, at: number])[];
}

/** Which sinks want to hear of what. */
export interface Audience {
  readonly name: string;
  readonly minimumSeverity: Severity;
}

/** Of an outage without end the oldest notices are given up. */
const mostOutgoing = 1000;

/** What people are about to be told: items wait for others of their group, then go out as one notice. */
export class Notices {
  readonly #options: Required<NoticeOptions>;
  readonly #audience: readonly Audience[];
  #queued: Queued[] = [];
  #outbox: Outgoing[] = [];
  #lastSent = new Map<string, number>();

  constructor(options: Required<NoticeOptions>, audience: readonly Audience[]) {
    this.#options = options;
    this.#audience = audience;
  }

  get outbox(): readonly Outgoing[] {
    return this.#outbox;
  }

  queue(item: NoticeItem, now: number): void {
    const group = this.#options.groupBy(item.alert);
    this.#queued.push({ group, item, dueAt: this.#dueAt(group, item, now) });
  }

  /** Takes back what was not sent yet. @returns whether the begin of the alert was among it. */
  withdraw(alertId: string): boolean {
    const begun = this.#queued.some(({ item }) => item.alert.id === alertId && item.kind === 'firing');
    this.#queued = this.#queued.filter(({ item }) => item.alert.id !== alertId);
    return begun;
  }

  /** Writes the notices that are due. @returns how many. */
  flush(now: number, nextId: () => string): number {
    const due = new Set(this.#queued.filter(({ dueAt }) => dueAt <= now).map(({ group }) => group));
    for (const group of due) {
      const items = this.#queued.filter((one) => one.group === group).map(({ item }) => item);
      this.#send(noticeOf(nextId(), group, items, now));
      this.#lastSent.set(group, now);
    }
    this.#queued = this.#queued.filter(({ group }) => !due.has(group));
    for (const [group, at] of this.#lastSent) {
      if (now - at >= this.#options.groupIntervalMs) this.#lastSent.delete(group);
    }
    return due.size;
  }

  /** A sink has taken a notice, or never will. */
  settle(noticeId: string, sink: string): void {
    this.#outbox = this.#outbox.flatMap((outgoing) => {
      if (outgoing.notice.id !== noticeId) return [outgoing];
      const sinks = outgoing.sinks.filter((name) => name !== sink);
      return sinks.length > 0 ? [{ ...outgoing, sinks }] : [];
    });
  }

  save(): SavedNotices {
    return { queued: this.#queued, outbox: this.#outbox, lastSent: [...this.#lastSent] };
  }

  restore({ queued, outbox, lastSent }: SavedNotices): void {
    const known = new Set(this.#audience.map(({ name }) => name));
    this.#queued = [...queued];
    this.#outbox = outbox.filter(({ sinks }) => sinks.some((name) => known.has(name)));
    this.#lastSent = new Map(lastSent);
  }

  #dueAt(group: string, { kind, alert }: NoticeItem, now: number): number {
    if (alert.severity === 'page' || kind === 'acknowledged') return now;
    const waited = now + this.#options.groupWaitMs;
    if (kind === 'resolved') return waited;
    return Math.max(waited, (this.#lastSent.get(group) ?? -Infinity) + this.#options.groupIntervalMs);
  }

  #send(notice: Notice): void {
    const sinks = this.#audience
      .filter(({ minimumSeverity }) => isAtLeast(notice.severity, minimumSeverity))
      .map(({ name }) => name);
    if (sinks.length > 0) this.#outbox = [...this.#outbox, { notice, sinks }].slice(-mostOutgoing);
  }
}
