import type { AnswerSink, Flow, Forward, Passage } from '../passage.ts';
import type { Asked } from './asked.ts';
import type { CacheKey } from './cache-key.ts';
import type { CacheRules } from './cache-policy.ts';

/** What a {@link Reader} is made of. */
export interface ReaderParts {
  readonly passage: Passage;
  readonly sink: AnswerSink;
  readonly next: Forward;
  readonly asked: Asked;
  readonly key: CacheKey;
  readonly rules: CacheRules;
  readonly isHead: boolean;
}

/** One client that could not be answered at once: where its answer comes from may change while it waits. */
export class Reader implements Flow {
  readonly parts: ReaderParts;
  /** Fetches of others that failed while it waited for them. */
  failures = 0;
  /** It waited for what turned out not to be for sharing: it does not wait again. */
  isAlone = false;
  /** Fields that the answer it waited for was chosen by, and did not fit. */
  vary: readonly string[] | undefined;
  #flow: Flow | undefined;
  #goneFor: Error | undefined;

  constructor(parts: ReaderParts) {
    this.parts = parts;
  }

  get isGone(): boolean {
    return this.#goneFor !== undefined;
  }

  /** Takes its answer from there now. */
  follow(flow: Flow): void {
    if (this.#goneFor === undefined) this.#flow = flow;
    else flow.abort(this.#goneFor);
  }

  abort(reason: Error): void {
    if (this.isGone) return;
    this.#goneFor = reason;
    this.#flow?.abort(reason);
  }

  resume(): void {
    this.#flow?.resume();
  }
}
