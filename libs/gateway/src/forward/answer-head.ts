import { answerRule } from './header-rules.ts';
import { connectionOptions, isHopByHop, isProtected, without } from './hop-headers.ts';
import type { ParsedHeaders } from './proxy-client.ts';

/**
 * The end-to-end fields of an instance's answer, order, case and duplicates as they came; `Trailer` stays where the body is chunked. `instance`
 * names who answered when the answer does not say it itself.
 */
export function answerFields(raw: readonly string[], instance: string | undefined): string[] {
  let fields: string[] = [];
  let connection: string[] | undefined;
  let isNamed = instance === undefined;
  let isChunked = false;
  let hasTrailer = false;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    const rule = answerRule(name);
    if (rule === 'keep') fields.push(name, value);
    else if (rule === 'connection') (connection ??= []).push(value);
    else if (rule === 'encoding') isChunked = true;
    else if (rule !== 'drop') {
      fields.push(name, value);
      if (rule === 'instance') isNamed = true;
      else hasTrailer = true;
    }
  }
  const nominated = connection && connectionOptions(connection);
  if (nominated !== undefined) fields = without(fields, nominated);
  if (hasTrailer && !isChunked) fields = without(fields, trailerOnly);
  if (!isNamed && instance !== undefined) fields.push('x-instance', instance);
  return fields;
}

/** The field that announces trailers. */
export const trailerOnly: ReadonlySet<string> = new Set(['trailer']);

/** The trailer fields that may travel: none that frames, routes or guards a message (RFC 9110, 6.5.1). */
export function trailerFields(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    if (!isHopByHop(name) && !isProtected(name)) fields.push(raw[at] ?? '', raw[at + 1] ?? '');
  }
  return fields;
}

/**
 * Raw headers as latin1 text, which is how Node writes them again: byte for byte. They are pieces of one chunk off the
 * socket, so the whole head is decoded at once and cut, which costs a third of decoding each piece.
 */
export function rawPairs(raw: unknown, parsed: ParsedHeaders): string[] {
  if (!Array.isArray(raw)) return parsedPairs(parsed);
  const pieces = raw as (Buffer | string)[];
  const first = pieces[0];
  if (typeof first === 'string' && pieces.every(isText)) return pieces;
  const last = pieces[pieces.length - 1];
  if (!(first instanceof Buffer) || !(last instanceof Buffer)) return pieces.map(latin1);
  const { buffer, byteOffset: start } = first;
  const length = last.byteOffset + last.length - start;
  if (last.buffer !== buffer || length < 0 || length > maxHeadBytes) return pieces.map(latin1);
  const text = Buffer.from(buffer, start, length).toString('latin1');
  const pairs: string[] = [];
  for (const piece of pieces) {
    const at = typeof piece === 'string' || piece.buffer !== buffer ? -1 : piece.byteOffset - start;
    // Small buffers of Node share their memory with others, so one that was put together may lie anywhere in it.
    const isInside = at >= 0 && at + piece.length <= length;
    pairs.push(isInside ? text.slice(at, at + piece.length) : latin1(piece));
  }
  return pairs;
}

/** Far more than a head that a client of HTTP accepts. */
const maxHeadBytes = 256 * 1024;

function parsedPairs(parsed: ParsedHeaders): string[] {
  return Object.entries(parsed).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((one) => [name, one]),
  );
}

function isText(piece: Buffer | string): piece is string {
  return typeof piece === 'string';
}

function latin1(piece: Buffer | string): string {
  return typeof piece === 'string' ? piece : piece.toString('latin1');
}
