import type { Passage } from '../passage.ts';
import type { StoredAnswer } from './stored-answer.ts';

const conditions = ['if-none-match', 'if-modified-since'];

/** What a fill changes in the request of its first reader. */
export interface FillRequest {
  /** Asked with its validators: the instance may say that it still holds. */
  readonly stored: StoredAnswer | undefined;
  /** The client's own conditions are left out: a 304 would be of no use to anyone else. */
  readonly isWhole: boolean;
  /** The query for the instance; undefined leaves it as it is. */
  readonly query: string | undefined;
}

/** The passage as the instance sees it; it ends with the fill, which may outlive the client. */
export class FillPassage implements Passage {
  readonly request: Passage['request'];
  readonly reply: Passage['reply'];
  readonly routeId: string;
  readonly target: Passage['target'];
  readonly service: string;
  readonly path: string;
  readonly trace: Passage['trace'];
  readonly clientAddress: string;
  identity: Passage['identity'];
  readonly requestHeaders: string[];
  readonly withheldHeaders?: readonly string[];
  readonly answerHeaders: string[];
  readonly notes: Passage['notes'];
  readonly #passage: Passage;
  #listeners: (() => void)[] | undefined = [];

  constructor(passage: Passage, { stored, isWhole, query }: FillRequest) {
    this.#passage = passage;
    this.notes = passage.notes;
    this.request = passage.request;
    this.reply = passage.reply;
    this.routeId = passage.routeId;
    this.target = passage.target;
    this.service = passage.service;
    this.path = query === undefined ? passage.path : (passage.path.split('?', 1)[0] ?? '') + query;
    this.trace = passage.trace;
    this.clientAddress = passage.clientAddress;
    this.identity = passage.identity;
    this.requestHeaders = [...passage.requestHeaders, ...validators(stored)];
    this.answerHeaders = passage.answerHeaders;
    const withheld = [
      ...(passage.withheldHeaders ?? []),
      ...(isWhole || stored !== undefined ? conditions : []),
    ];
    if (withheld.length > 0) this.withheldHeaders = withheld;
  }

  get call(): Passage['call'] {
    return this.#passage.call;
  }

  set call(call: Passage['call']) {
    this.#passage.call = call;
  }

  onEnd(listener: () => void): void {
    if (this.#listeners === undefined) listener();
    else this.#listeners.push(listener);
  }

  /** The exchange with the instance is over. */
  end(): void {
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener();
  }
}

function validators(stored: StoredAnswer | undefined): string[] {
  const pairs: string[] = [];
  if (stored?.etag !== undefined) pairs.push('If-None-Match', stored.etag);
  if (stored?.lastModified !== undefined) pairs.push('If-Modified-Since', stored.lastModified);
  return pairs;
}
