import type { RawHeaders } from '../forward/hop-headers.ts';
import type { AnswerSink, Flow } from '../passage.ts';
import { Audience } from './audience.ts';
import type { ForwardReason } from './cache-status.ts';
import { isNotModified, writeStored } from './conditional.ts';
import { FillPassage } from './fill-passage.ts';
import type { Head } from './judge.ts';
import type { Reader, ReaderParts } from './reader.ts';
import type { Seat } from './seat.ts';
import type { StoredAnswer } from './stored-answer.ts';

/** What a fill needs of its cache. */
export interface FillHost {
  readonly name: string;
  now(): number;
  date(): number;
  /** Makes the answer to be kept, or undefined when it is not for keeping. */
  admit(parts: FillParts, head: Head, statusMessage: string): StoredAnswer | undefined;
  keep(parts: ReaderParts, answer: StoredAnswer): void;
  remove(parts: ReaderParts, answer: StoredAnswer): void;
  /** Takes bytes of the bound for bodies that are still coming; false when there are none left. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
  count(what: 'misses' | 'revalidated' | 'coalesced' | 'stale'): void;
  /** Nobody may join any more. */
  close(fill: Fill): void;
  /** It has ended. */
  over(fill: Fill): void;
  /** A reader needs another answer. */
  retry(reader: Reader): void;
}

/** How a {@link Fill} came about. */
export interface FillParts extends ReaderParts {
  /** Under which others find it. */
  readonly flightKey: string;
  readonly reason: ForwardReason;
  /** An answer that is to be confirmed, or that stands in when the instances fail. */
  readonly stored: StoredAnswer | undefined;
  /** Others may come along, so it asks for the whole answer. */
  readonly isShared: boolean;
}

/** Statuses for which a stale answer is better (RFC 5861, 4). */
const failures: ReadonlySet<number> = new Set([500, 502, 503, 504]);

const standsIn = new DOMException('a stored answer is used instead', 'AbortError');

/** How many others wait with one fetch at most; more go alone. */
const maxSeats = 4_096;

/** How often a waiting reader tries again when the fetch that it waited for failed. */
const maxFailures = 1;

/** How long a stale answer is served after a refresh behind it failed, before the next, in ms. */
const refreshPauseMs = 1_000;

/**
 * One fetch from an instance, for one client or for many.
 *
 *   waiting ──head to keep──▶ storing ──end──▶ done      all seats read from one log; the answer is kept
 *      │                         └─too long──▶ passing
 *      ├────any other head──▶ passing ──end──▶ done      the first seat only, at its pace; all others are sent away
 *      └──304, failure──────▶ done                       a stored answer, the error, or another try
 *
 * Nobody waits for another's slow client: while the answer is stored, the log is bounded by its greatest size; after that by the pace of the
 * first seat, and whoever is too far behind is let go. It ends when nobody is left, unless it refreshes in the background.
 */
export class Fill implements AnswerSink {
  readonly parts: FillParts;
  /** Ends the wait of those who joined; the host's. */
  timer: NodeJS.Timeout | undefined;
  readonly #host: FillHost;
  readonly #passage: FillPassage;
  readonly #audience: Audience;
  #state: 'waiting' | 'storing' | 'passing' | 'done' = 'waiting';
  #answer: StoredAnswer | undefined;
  #leader: Seat | undefined;
  #flow: Flow | undefined;
  #abortReason: Error | undefined;
  #sentAt = 0;
  #reserved = 0;
  /** Goes on with nobody there. */
  #isDetached = false;
  #isForgotten = false;

  constructor(parts: FillParts, host: FillHost) {
    this.parts = parts;
    this.#host = host;
    this.#audience = new Audience(parts.rules.maxEntryBytes, {
      left: (reason) => {
        if (this.#state !== 'done' && this.#isAbandoned) this.#stop(reason);
      },
      room: () => {
        this.#flow?.resume();
      },
    });
    this.#passage = new FillPassage(parts.passage, {
      stored: parts.stored,
      isWhole: parts.isShared,
      query: parts.key.query,
    });
  }

  /** Asks the instance: for this reader, or for the store alone. */
  start(reader: Reader | undefined): void {
    if (reader === undefined) this.#isDetached = true;
    else this.#leader = this.#audience.seat(reader);
    this.#sentAt = this.#host.now();
    try {
      this.#flow = this.parts.next(this.#passage, this);
    } catch (error) {
      this.fail(error as Error);
    }
    if (this.#abortReason !== undefined) this.#flow?.abort(this.#abortReason);
  }

  /** Whether the reader gets this answer too, if it turns out to be for sharing. */
  join(reader: Reader): boolean {
    if (this.#audience.size >= maxSeats) return false;
    if (this.#state !== 'waiting' && this.#state !== 'storing') return false;
    if (this.#answer !== undefined && !this.#isFor(reader, this.#answer)) return false;
    const seat = this.#audience.seat(reader);
    if (this.#answer !== undefined) this.#serve(seat, this.#answer);
    return true;
  }

  /** Its answer is out of date before it has come: it is not kept, and nobody joins. */
  forget(): void {
    this.#isForgotten = true;
    this.#host.close(this);
    if (this.#state !== 'storing') return;
    this.#stopStoring();
    if (this.#isAbandoned) this.#stop(standsIn);
  }

  /** Those who wait have waited long enough; the first goes on alone. */
  dismiss(): void {
    if (this.#state !== 'waiting') return;
    this.#host.close(this);
    for (const seat of this.#audience.others(this.#leader)) this.#sendAlone(seat);
    if (this.#isAbandoned) this.#stop(standsIn);
  }

  inform(status: number, rawHeaders: RawHeaders): void {
    const leader = this.#leader;
    if (this.#state === 'waiting' && this.#audience.has(leader))
      leader.reader.parts.sink.inform(status, rawHeaders);
  }

  head(status: number, statusMessage: string, raw: RawHeaders): void {
    if (this.#state !== 'waiting') return;
    const { stored } = this.parts;
    const head = { status, raw, sentAt: this.#sentAt, receivedAt: this.#host.now(), date: this.#host.date() };
    if (stored !== undefined && status === 304) this.#confirmed(stored, head);
    else if (failures.has(status) && this.#standIn(status)) this.#stop(standsIn);
    else this.#take(head, statusMessage);
  }

  data(chunk: Buffer): boolean {
    if (this.#state !== 'storing' && this.#state !== 'passing') return true;
    if (this.#state === 'storing' && !this.#reserve(chunk.length)) {
      this.#stopStoring();
      if (this.#isAbandoned) this.#stop(standsIn);
    }
    return this.#audience.push(chunk);
  }

  end(rawTrailers: RawHeaders): void {
    if (this.#state !== 'storing' && this.#state !== 'passing') return;
    const answer = this.#state === 'storing' ? this.#answer : undefined;
    const { log } = this.#audience;
    const isWhole = answer !== undefined && rawTrailers.length === 0 && isComplete(answer, log.bytes);
    if (isWhole) answer.complete(log.chunks, log.bytes);
    const seats = this.#finish();
    if (isWhole) this.#host.keep(this.parts, answer);
    for (const seat of seats) {
      const rest = isWhole ? answer.body.subarray(seat.sentBytes) : log.from(seat.at);
      seat.end(rest, rawTrailers);
    }
  }

  fail(error: Error): void {
    if (this.#state === 'done') return;
    const { stored } = this.parts;
    if (stored !== undefined && this.#isDetached) stored.refreshAfter = this.#host.now() + refreshPauseMs;
    if (this.#state === 'waiting' && this.#standIn()) {
      this.#finish();
      return;
    }
    const wasWaiting = this.#state === 'waiting';
    for (const seat of this.#finish()) {
      const { reader } = seat;
      // One more try for all who only waited: a second failure is the answer.
      if (wasWaiting && seat !== this.#leader && ++reader.failures <= maxFailures) {
        seat.vacate();
        this.#host.retry(reader);
      } else {
        if (wasWaiting) this.#host.count('misses');
        seat.fail(error);
      }
    }
  }

  /** A new answer, to keep or to pass on. */
  #take(head: Head, statusMessage: string): void {
    const { stored } = this.parts;
    const answer = this.#isForgotten ? undefined : this.#host.admit(this.parts, head, statusMessage);
    const isKept = answer !== undefined && (answer.declaredBytes ?? 0) <= this.parts.rules.maxEntryBytes;
    if (stored !== undefined && !isKept && head.status < 500) this.#host.remove(this.parts, stored);
    this.#state = 'storing';
    if (isKept) this.#answer = answer;
    else this.#stopStoring();
    if (this.#leader !== undefined) this.#host.count('misses');
    this.#greetLeader(head, statusMessage, isKept);
    for (const seat of this.#audience.others(this.#leader)) {
      if (isKept && this.#isFor(seat.reader, answer)) this.#serve(seat, answer);
      else this.#sendAlone(seat, answer);
    }
    if (this.#isAbandoned) this.#stop(standsIn);
  }

  /** Nobody is there, and it is not for the store either. */
  get #isAbandoned(): boolean {
    return this.#audience.size === 0 && !(this.#isDetached && this.#state !== 'passing');
  }

  #greetLeader({ status, raw }: Head, statusMessage: string, isKept: boolean): void {
    const leader = this.#leader;
    if (!this.#audience.has(leader)) return;
    const mark = this.#mark(status, isKept ? '; stored' : '');
    const { sink, asked } = leader.reader.parts;
    if (isKept && this.#answer !== undefined && isNotModified(asked, this.#answer)) {
      this.#isDetached = true;
      this.#serve(leader, this.#answer, mark);
    } else {
      sink.head(status, statusMessage, [...raw, 'Cache-Status', mark]);
    }
  }

  /** Gives a seat the answer that is being stored. */
  #serve(seat: Seat, answer: StoredAnswer, mark = this.#mark(answer.status, '; collapsed')): void {
    const { asked, sink } = seat.reader.parts;
    const pairs = answer.pairs(this.#host.now(), mark);
    if (seat !== this.#leader) this.#host.count('coalesced');
    if (isNotModified(asked, answer)) {
      this.#audience.dismiss(seat);
      writeStored(sink, answer, pairs, asked, false);
    } else {
      sink.head(answer.status, answer.statusMessage, pairs);
      seat.pump(this.#audience.log);
    }
  }

  #isFor(reader: Reader, answer: StoredAnswer): boolean {
    const { asked } = reader.parts;
    const now = this.#host.now();
    return (
      answer.matches(asked) && (answer.isFresh(asked.wish, now) || answer.isUsableMeanwhile(asked.wish, now))
    );
  }

  /** The instance says that the stored answer still holds. */
  #confirmed(stored: StoredAnswer, head: Head): void {
    if (!stored.isConfirmedBy(head.raw)) {
      this.#host.remove(this.parts, stored);
      for (const seat of this.#finish()) {
        seat.vacate();
        this.#host.retry(seat.reader);
      }
      return;
    }
    const raw = stored.freshened(head.raw);
    const fresh = this.#isForgotten
      ? undefined
      : this.#host.admit(this.parts, { ...head, status: stored.status, raw }, stored.statusMessage);
    if (this.#leader !== undefined) this.#host.count('revalidated');
    if (fresh === undefined) this.#host.remove(this.parts, stored);
    else {
      fresh.body = stored.body;
      this.#host.keep(this.parts, fresh);
    }
    for (const seat of this.#finish()) this.#serveConfirmed(seat, fresh, stored, raw);
  }

  #serveConfirmed(seat: Seat, fresh: StoredAnswer | undefined, stored: StoredAnswer, raw: RawHeaders): void {
    const { reader } = seat;
    const { sink, asked } = reader.parts;
    const isLeader = seat === this.#leader;
    seat.vacate();
    if (!isLeader && (fresh === undefined || !this.#isFor(reader, fresh))) this.#sendAlone(seat, fresh);
    else {
      if (!isLeader) this.#host.count('coalesced');
      const mark = this.#mark(304, isLeader ? '' : '; collapsed');
      const pairs = fresh?.pairs(this.#host.now(), mark) ?? [...raw, 'Cache-Status', mark];
      writeStored(sink, fresh ?? stored, pairs, asked, false);
    }
  }

  /** The stored answer for everyone, if it may still be used. */
  #standIn(status?: number): boolean {
    const { stored } = this.parts;
    const now = this.#host.now();
    if (stored?.isUsableOnError(now) !== true) return false;
    for (const seat of this.#finish()) {
      const { sink, asked } = seat.reader.parts;
      seat.vacate();
      this.#host.count('stale');
      writeStored(
        sink,
        stored,
        stored.pairs(now, `${this.#mark(status, '')}; detail=stale-if-error`),
        asked,
        false,
      );
    }
    return true;
  }

  #mark(status: number | undefined, more: string): string {
    const { reason, stored } = this.parts;
    const told = stored === undefined || status === undefined ? '' : `; fwd-status=${status}`;
    return `${this.#host.name}; fwd=${reason}${told}${more}`;
  }

  /** The answer is not for this reader: another variant is fetched for it and its like, anything else for it alone. */
  #sendAlone(seat: Seat, answer?: StoredAnswer): void {
    const { reader } = seat;
    this.#audience.dismiss(seat);
    if (answer?.matches(reader.parts.asked) === false && reader.vary === undefined)
      reader.vary = answer.verdict.vary;
    else reader.isAlone = true;
    this.#host.retry(reader);
  }

  #reserve(bytes: number): boolean {
    const all = this.#audience.log.bytes + bytes;
    if (all > this.parts.rules.maxEntryBytes || !this.#host.reserve(bytes)) return false;
    this.#reserved += bytes;
    return true;
  }

  /** What comes is passed on from now on, and not kept. */
  #stopStoring(): void {
    this.#state = 'passing';
    this.#answer = undefined;
    this.#audience.letGo();
    this.#host.release(this.#reserved);
    this.#reserved = 0;
    this.#host.close(this);
  }

  #stop(reason: Error): void {
    this.#abortReason = reason;
    this.#finish();
    this.#flow?.abort(reason);
  }

  /** Ends it and gives those who are still there. */
  #finish(): readonly Seat[] {
    this.#state = 'done';
    this.#host.release(this.#reserved);
    this.#reserved = 0;
    this.#host.close(this);
    this.#host.over(this);
    this.#passage.end();
    return this.#audience.dissolve();
  }
}

function isComplete({ status, declaredBytes }: StoredAnswer, bytes: number): boolean {
  return status === 204 || declaredBytes === undefined || declaredBytes === bytes;
}
