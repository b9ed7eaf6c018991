import type { AnswerSink } from '../passage.ts';
import type { Asked } from './asked.ts';
import { opaque, StoredAnswer } from './stored-answer.ts';

const none: readonly string[] = [];

/** Writes a stored answer in one go: whole, as its head alone, or as 304 when the client has it already. */
export function writeStored(
  sink: AnswerSink,
  answer: StoredAnswer,
  pairs: readonly string[],
  asked: Asked,
  isHead: boolean,
): void {
  if (isNotModified(asked, answer)) {
    sink.head(304, 'Not Modified', StoredAnswer.notModified(pairs));
  } else {
    sink.head(answer.status, answer.statusMessage, pairs);
    if (!isHead && answer.body.length > 0) sink.data(answer.body);
  }
  sink.end(none);
}

/** Whether the client has this answer already (RFC 9110, 13.2.2): `If-None-Match` decides alone where it is there. */
export function isNotModified({ ifNoneMatch, ifModifiedSince }: Asked, answer: StoredAnswer): boolean {
  if (ifNoneMatch === undefined && ifModifiedSince === undefined) return false;
  if (answer.status !== 200) return false;
  if (ifNoneMatch !== undefined) return hasTag(ifNoneMatch, answer.etag);
  return Date.parse(answer.lastModified ?? '') <= Date.parse(ifModifiedSince ?? '');
}

/** Compared weakly (RFC 9110, 8.8.3.2). */
function hasTag(list: string, etag: string | undefined): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined) return false;
  return (list.match(/(?:W\/)?"[^"]*"/g) ?? []).some((one) => opaque(one) === opaque(etag));
}
