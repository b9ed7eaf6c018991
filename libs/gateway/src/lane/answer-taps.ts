import type { AnswerSink, Forward } from '../passage.ts';
import { applyRules, type CompiledRules } from '../routing/header-rules.ts';

/** What a tap sees of an answer; it may change the fields of its head. */
interface Tap {
  readonly onHead: (status: number, rawHeaders: readonly string[]) => readonly string[];
  readonly onFail?: (error: Error) => void;
}

/** A forward whose answers have their header fields changed by rules. */
export function withHeaderRules(rules: CompiledRules, next: Forward): Forward {
  return tapped({ onHead: (_status, rawHeaders) => applyRules(rules, rawHeaders) }, next);
}

/** A forward whose outcomes are told: a 5xx and a failure before the head are failures. A client that leaves is neither. */
export function withOutcome(note: (outcome: 'success' | 'failure') => void, next: Forward): Forward {
  return tapped(
    {
      onHead: (status, rawHeaders) => {
        note(status >= 500 ? 'failure' : 'success');
        return rawHeaders;
      },
      onFail: () => {
        note('failure');
      },
    },
    next,
  );
}

function tapped(tap: Tap, next: Forward): Forward {
  return (passage, sink) => next(passage, new TappedSink(tap, sink));
}

class TappedSink implements AnswerSink {
  readonly #tap: Tap;
  readonly #sink: AnswerSink;
  #hasHead = false;

  constructor(tap: Tap, sink: AnswerSink) {
    this.#tap = tap;
    this.#sink = sink;
  }

  inform(status: number, rawHeaders: readonly string[]): void {
    this.#sink.inform(status, rawHeaders);
  }

  head(status: number, statusMessage: string, rawHeaders: readonly string[]): void {
    this.#hasHead = true;
    this.#sink.head(status, statusMessage, this.#tap.onHead(status, rawHeaders));
  }

  data(chunk: Buffer): boolean {
    return this.#sink.data(chunk);
  }

  end(rawTrailers: readonly string[]): void {
    this.#sink.end(rawTrailers);
  }

  fail(error: Error): void {
    if (!this.#hasHead) this.#tap.onFail?.(error);
    this.#sink.fail(error);
  }
}
