import type { HttpProblem } from '@mesh/problem';
import type { IncomingMessage } from 'node:http';
import type { ExchangeNotes, Flow } from '../passage.ts';
import { BodyPace, slowBody } from './body-pace.ts';
import type { BodyLimits } from './request-body.ts';
import type { Watched } from './watch.ts';

/** The longest body that is held: one that comes with its head in one read, as a rule. */
export const heldBytes = 16 * 1024;

/** What is done with a body once it is here, and when it does not come. */
export interface HeldBodyUse {
  /** Sends it on its way. */
  readonly send: (body: Buffer) => Flow;
  readonly fail: (problem: HttpProblem) => void;
  /** Where the bytes are counted, if anywhere. */
  readonly notes: Pick<ExchangeNotes, 'bytesSent'> | undefined;
}

/**
 * Waits for a small body, and sends it with its head in one write: a stream of its own costs more than all else that is done for the
 * request. A body that is held can be sent again, and an instance is not asked before all of it is there.
 */
export class HeldBody implements Flow, Watched {
  readonly #source: IncomingMessage;
  readonly #limits: Pick<BodyLimits, 'pace' | 'watch'>;
  readonly #use: HeldBodyUse;
  #first: Buffer | undefined;
  #others: Buffer[] | undefined;
  #pace: BodyPace | undefined;
  #flow: Flow | undefined;
  #isOver = false;

  constructor(source: IncomingMessage, limits: Pick<BodyLimits, 'pace' | 'watch'>, use: HeldBodyUse) {
    this.#source = source;
    this.#limits = limits;
    this.#use = use;
    const { pace, watch } = limits;
    if (pace !== undefined) {
      watch.add(this);
      this.#pace = new BodyPace(pace, watch.nowMs);
    }
    source.on('data', this.#onData).on('end', this.#onEnd).on('error', ignore);
  }

  abort(reason: Error): void {
    this.#stop();
    this.#isOver = true;
    this.#flow?.abort(reason);
  }

  resume(): void {
    this.#flow?.resume();
  }

  check(nowMs: number): void {
    if (this.#pace?.isTooSlow(nowMs) !== true) return;
    this.#stop();
    this.#isOver = true;
    this.#use.fail(slowBody);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#first === undefined) this.#first = chunk;
    else (this.#others ??= []).push(chunk);
    this.#pace?.add(chunk.length, this.#limits.watch.nowMs);
  };

  readonly #onEnd = (): void => {
    this.#stop();
    if (this.#isOver || this.#first === undefined) return;
    const body = this.#others === undefined ? this.#first : Buffer.concat([this.#first, ...this.#others]);
    if (this.#use.notes !== undefined) this.#use.notes.bytesSent += body.length;
    this.#flow = this.#use.send(body);
  };

  /** The source flows on: what is left of it must not hold its connection up. */
  #stop(): void {
    this.#limits.watch.remove(this);
    this.#source.off('data', this.#onData).off('end', this.#onEnd);
  }
}

function ignore(): void {
  // The exchange hears of it by the close of the reply.
}
