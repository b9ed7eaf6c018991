import { HttpProblem, sendProblem } from '@mesh/problem';
import type { Duplex } from 'node:stream';
import type { Flow, Passage } from '../passage.ts';
import { isCallerFault } from '../upstream-failure.ts';
import { wireOf, type ClientWire } from './client-wire.ts';
import { gatewayFields, putFields } from './gateway-fields.ts';
import { writeSwitch } from './raw-answer.ts';
import { discardRest } from './request-body.ts';
import type { UpgradeSink } from './transport.ts';
import type { Tunnels } from './tunnels.ts';
import { takeConnection } from './upgrades.ts';
import type { Watch, Watched } from './watch.ts';

/** What all answers of one gateway share. */
export interface ClientSinkSettings {
  /** Turns a failure before the head into the error that the client is told. */
  readonly explain: (error: Error, passage: Passage) => Error;
  /** Called when the head of an answer has come. */
  readonly onAnswer: (passage: Passage) => void;
  readonly watch: Watch;
  readonly tunnels: Tunnels;
  /** Longest silence within an answer, in ms; 0 = no limit. Streams of events may be silent. */
  readonly idleTimeoutMs: number;
  /** Longest time for the whole exchange, in ms; 0 = no limit. Streams of events have none. */
  readonly totalTimeoutMs: number;
  /** How long a client may leave an answer unread, in ms; 0 = for ever. */
  readonly stallTimeoutMs: number;
}

/** The largest body that waits for its end within one turn, to go out in one write with its head. */
const smallBodyBytes = 16 * 1024;

const clientGone = new DOMException('the client went away', 'AbortError');

/**
 * Writes an answer to the client of a passage.
 *
 *   waiting --head--> streaming --end--> done     the answer went through
 *      |                  `-----fail--> done      the client's connection is destroyed: half an answer is none
 *      `--------------fail------------> done      problem JSON
 *   any ----------client gone---------> done      the flow is aborted at once
 *
 * Until the head has come the reply is Fastify's (a problem takes the usual way, hooks and log included); then it is hijacked.
 */
export class ClientSink implements UpgradeSink, Watched {
  readonly #passage: Passage;
  readonly #settings: ClientSinkSettings;
  readonly #wire: ClientWire;
  readonly #startedAt: number;
  #state: 'waiting' | 'streaming' | 'done' = 'waiting';
  #flow: Flow | undefined;
  #abortReason: Error | undefined;
  /** Part of the body that waits for what follows in the same turn. */
  #held: Buffer | undefined;
  #isHolding = false;
  #isStream = false;
  #activeAt = 0;
  /** Since when the client has not read; undefined while it does. */
  #stalledAt: number | undefined;

  constructor(passage: Passage, settings: ClientSinkSettings) {
    this.#passage = passage;
    this.#settings = settings;
    this.#wire = wireOf(passage.request);
    if (settings.totalTimeoutMs > 0) settings.watch.add(this);
    this.#startedAt = settings.watch.nowMs;
    passage.onEnd(() => {
      this.#onEnd();
    });
  }

  /** Takes the flow that fills this sink; it may have begun already. */
  follow(flow: Flow): void {
    this.#flow = flow;
    if (this.#abortReason !== undefined) flow.abort(this.#abortReason);
  }

  inform(status: number, rawHeaders: readonly string[]): void {
    const { raw } = this.#passage.reply;
    if (this.#state === 'waiting') this.#wire.inform(raw, status, rawHeaders);
  }

  head(status: number, statusMessage: string, rawHeaders: readonly string[]): void {
    if (this.#state !== 'waiting') return;
    const { reply } = this.#passage;
    const fields = gatewayFields(rawHeaders, this.#passage);
    // Throws on what may not be written again, before anything has changed.
    this.#wire.head(reply.raw, status, statusMessage, fields);
    reply.hijack();
    this.#state = 'streaming';
    this.#isStream = isStream(rawHeaders);
    this.#settings.onAnswer(this.#passage);
    this.#passage.notes?.answered();
    this.#isHolding = true;
    process.nextTick(flush, this);
  }

  data(chunk: Buffer): boolean {
    const { raw } = this.#passage.reply;
    if (this.#state !== 'streaming' || raw.destroyed) return true;
    const { notes } = this.#passage;
    if (notes !== undefined) notes.bytesReceived += chunk.length;
    if (this.#isHolding) {
      if (this.#held === undefined && chunk.length <= smallBodyBytes) {
        this.#held = chunk;
        return true;
      }
      this.#release();
    }
    this.#activeAt = this.#settings.watch.nowMs;
    if (raw.write(chunk)) return true;
    this.#stall();
    return false;
  }

  end(rawTrailers: readonly string[]): void {
    if (this.#state !== 'streaming') return;
    this.#state = 'done';
    const { raw } = this.#passage.reply;
    if (rawTrailers.length > 0) this.#wire.trailers(raw, rawTrailers);
    const held = this.#held;
    this.#held = undefined;
    // As one text with the head, which is one write; latin1 is the bytes themselves.
    if (held === undefined) raw.end();
    else raw.end(held.toString('latin1'), 'latin1');
    if (raw.writableLength > 0) this.#stall();
    discardRest(this.#passage.request.raw);
  }

  fail(error: Error): void {
    const { request, reply } = this.#passage;
    const wasWaiting = this.#state === 'waiting';
    if (this.#state === 'done') return;
    this.#state = 'done';
    if (wasWaiting) {
      this.#refuse(this.#settings.explain(error, this.#passage));
      return;
    }
    request.log.warn({ err: error }, 'upstream broke off');
    this.#wire.cut(reply.raw);
  }

  switch(rawHeaders: readonly string[], instance: Duplex): void {
    const { request, reply } = this.#passage;
    const client = this.#state === 'waiting' ? takeConnection(request.raw) : undefined;
    if (client === undefined) {
      instance.destroy();
      return;
    }
    this.#state = 'done';
    this.#settings.watch.remove(this);
    reply.hijack();
    writeSwitch(client, gatewayFields(rawHeaders, this.#passage));
    this.#settings.tunnels.join(client, instance, () => reply.raw.emit('close'));
  }

  check(nowMs: number): void {
    const { idleTimeoutMs, totalTimeoutMs, stallTimeoutMs } = this.#settings;
    if (this.#stalledAt !== undefined) {
      if (isOver(nowMs - this.#stalledAt, stallTimeoutMs)) this.#cut('the client does not read');
      return;
    }
    if (this.#isStream || this.#state === 'done') return;
    if (isOver(nowMs - this.#startedAt, totalTimeoutMs)) this.#cut('the answer took too long');
    else if (this.#state === 'streaming' && isOver(nowMs - this.#activeAt, idleTimeoutMs)) {
      this.#cut('the answer has stopped');
    }
  }

  /** Called once when the turn is over in which the head came. */
  flush(): void {
    if (this.#state !== 'streaming') return;
    if (this.#held === undefined) this.#passage.reply.raw.flushHeaders();
    else this.#release();
    this.#isHolding = false;
    // Only an answer that takes longer than a turn needs to be watched.
    this.#settings.watch.add(this);
    this.#activeAt = this.#settings.watch.nowMs;
  }

  #release(): void {
    const held = this.#held;
    this.#isHolding = false;
    this.#held = undefined;
    if (held !== undefined) this.#passage.reply.raw.write(held);
  }

  /** The client reads slower than the answer comes, or not at all. */
  #stall(): void {
    if (this.#stalledAt !== undefined) return;
    const { watch } = this.#settings;
    watch.add(this);
    this.#stalledAt = watch.nowMs;
    this.#passage.reply.raw.once('drain', () => {
      this.#stalledAt = undefined;
      this.#activeAt = watch.nowMs;
      this.#flow?.resume();
    });
  }

  #cut(why: string): void {
    const error = new HttpProblem('ERR_TIMEOUT', `${why}.`);
    this.#abort(error);
    if (this.#state === 'done') this.#wire.cut(this.#passage.reply.raw);
    else this.fail(error);
  }

  #abort(reason: Error): void {
    this.#abortReason = reason;
    this.#flow?.abort(reason);
  }

  #onEnd(): void {
    this.#settings.watch.remove(this);
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#abort(clientGone);
  }

  #refuse(error: Error): void {
    const { request, reply, answerHeaders, notes } = this.#passage;
    if (notes !== undefined) notes.code = (error as { code?: string }).code ?? '';
    if (!isCallerFault(error)) request.log.warn({ err: error }, 'upstream failed');
    putFields(reply, answerHeaders);
    sendProblem(error, request, reply);
    discardRest(request.raw);
  }
}

function flush(sink: ClientSink): void {
  sink.flush();
}

function isOver(passedMs: number, limitMs: number): boolean {
  return limitMs > 0 && passedMs >= limitMs;
}

const streamTypes = /^(?:text\/event-stream|application\/grpc|multipart\/x-mixed-replace)/i;

/** Whether an answer may be silent for as long as it likes. */
function isStream(rawHeaders: readonly string[]): boolean {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === 12 && name.toLowerCase() === 'content-type') {
      return streamTypes.test(rawHeaders[at + 1] ?? '');
    }
  }
  return false;
}
