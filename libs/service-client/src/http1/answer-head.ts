import type { Fields } from '../transport.ts';
import { fieldKind } from './field-names.ts';
import { malformed } from './malformed.ts';

/** The head of an answer, and what it says of the body and of the connection (RFC 9112, 6.3 and 9.3). */
export interface AnswerHead {
  readonly status: number;
  readonly message: string;
  /** Flat pairs, latin1, as on the wire. */
  readonly rawHeaders: string[];
  /** Bytes of the body; -1 when it is chunked, Infinity when it lasts as long as the connection. */
  readonly bodyLength: number;
  /** Whether the connection may be used again. */
  readonly isKept: boolean;
  /** How long the peer says that it keeps an idle connection, in seconds; undefined when it says nothing. */
  readonly keepSeconds: number | undefined;
}

export const chunked = -1;

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
/** A control character, a line break that is not CRLF, a folded line. */
const badText = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|[^\r]\n|\n[\t ]/;
const length = /^\d{1,15}$/;

/**
 * Reads a head, given without the empty line that ends it. Strict: what two readers could take for two things is refused (two lengths, a length
 * beside chunks, folded lines, bare line feeds).
 *
 * @param method of the request; an answer to HEAD has no body whatever it says.
 * @throws HTTPParserError.
 */
export function readAnswerHead(text: string, method: string): AnswerHead {
  if (badText.test(text)) throw malformed('a character that has no place in a head');
  const firstEnd = text.indexOf('\r\n');
  const parts = statusLine.exec(firstEnd === -1 ? text : text.slice(0, firstEnd));
  if (parts === null) throw malformed('no status line');
  const status = Number(parts[2]);
  const isOld = parts[1] === '0';
  const rawHeaders: string[] = [];
  let contentLength: string | undefined;
  let encoding: string | undefined;
  let connection = '';
  let keepSeconds: number | undefined;
  for (let at = firstEnd; at !== -1;) {
    at = readField(text, at + 2, rawHeaders);
    const value = rawHeaders[rawHeaders.length - 1] ?? '';
    const kind = fieldKind(rawHeaders[rawHeaders.length - 2] ?? '');
    if (kind === 'plain') continue;
    if (kind === 'invalid') throw malformed('a field whose name is none');
    if (kind === 'content-length') {
      if (contentLength !== undefined || !length.test(value)) throw malformed('Content-Length');
      contentLength = value;
    } else if (kind === 'transfer-encoding') {
      if (encoding !== undefined) throw malformed('two Transfer-Encodings');
      encoding = value.toLowerCase();
    } else if (kind === 'connection') connection = connection === '' ? value : `${connection},${value}`;
    else if (kind === 'keep-alive') keepSeconds = secondsOf(value);
  }
  if (encoding !== undefined && (encoding !== 'chunked' || contentLength !== undefined || isOld)) {
    throw malformed('Transfer-Encoding');
  }
  const hasNone = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const bodyLength = hasNone
    ? 0
    : encoding !== undefined
      ? chunked
      : contentLength === undefined
        ? Infinity
        : Number(contentLength);
  const isKept = bodyLength !== Infinity && keeps(connection, isOld);
  return { status, message: parts[3] ?? '', rawHeaders, bodyLength, isKept, keepSeconds };
}

/** The fields of a trailer section, each line begun by CRLF. @throws HTTPParserError. */
export function readTrailers(text: string): string[] {
  if (badText.test(text)) throw malformed('a character that has no place in trailers');
  const fields: string[] = [];
  for (let at = text === '' ? -1 : 0; at !== -1;) {
    at = readField(text, at + 2, fields);
    if (fieldKind(fields[fields.length - 2] ?? '') === 'invalid') throw malformed('a trailer');
  }
  return fields;
}

/** Appends the field that begins at `start`; tells where its line ends, -1 at the end of the text. */
function readField(text: string, start: number, fields: string[]): number {
  const lineEnd = text.indexOf('\r\n', start);
  let end = lineEnd === -1 ? text.length : lineEnd;
  const colon = text.indexOf(':', start);
  if (colon === -1 || colon >= end) throw malformed('a line without a colon');
  let from = colon + 1;
  while (from < end && isBlank(text.charCodeAt(from))) from++;
  while (end > from && isBlank(text.charCodeAt(end - 1))) end--;
  fields.push(text.slice(start, colon), text.slice(from, end));
  return lineEnd;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function keeps(connection: string, isOld: boolean): boolean {
  if (connection === '') return !isOld;
  if (connection === 'keep-alive') return true;
  if (connection === 'close') return false;
  const options = connection.split(',').map((option) => option.trim().toLowerCase());
  if (options.includes('close')) return false;
  return !isOld || options.includes('keep-alive');
}

function secondsOf(keepAlive: string): number | undefined {
  const seconds = /(?:^|[\s,;])timeout=(\d{1,6})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/** Flat pairs as an object by lower-case name; several fields of one name are a list. */
export function fieldsOf(raw: readonly string[]): Fields {
  const fields: Fields = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const value = raw[at + 1] ?? '';
    if (!Object.hasOwn(fields, name)) {
      // Not by assignment: `__proto__` is a name like another.
      if (name === '__proto__') {
        Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
      } else fields[name] = value;
      continue;
    }
    const before = fields[name];
    if (Array.isArray(before)) before.push(value);
    else fields[name] = [before ?? '', value];
  }
  return fields;
}
