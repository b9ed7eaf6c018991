import type { Fields } from '../transport.ts';
import type { FieldLines } from './field-lines.ts';
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

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const usualLine = 'HTTP/1.1 200 OK\r\n';
const length = /^\d{1,15}$/;

/**
 * Reads a head, each of its lines ended by CRLF and without the empty line that ends it. Strict: what two readers could take for two things is
 * refused (two lengths, a length beside chunks, folded lines, bare line feeds).
 *
 * @param method of the request; an answer to HEAD has no body whatever it says.
 * @throws HTTPParserError.
 */
export function readAnswerHead(text: string, method: string, lines: FieldLines): AnswerHead {
  const first = text.slice(0, usual.length) === usualLine ? usual : readStatusLine(text);
  const { status, isOld } = first;
  const rawHeaders: string[] = [];
  let contentLength: string | undefined;
  let encoding: string | undefined;
  let connection = '';
  let keepSeconds: number | undefined;
  let at = first.length;
  for (let index = 0; at < text.length; index++) {
    const line = lines.read(text, at, index);
    const { kind, name, value } = line;
    at += line.text.length;
    rawHeaders.push(name, value);
    if (kind === 'plain') continue;
    if (kind === 'content-length') {
      if (contentLength !== undefined || !length.test(value)) throw malformed('Content-Length');
      contentLength = value;
    } else if (kind === 'transfer-encoding') {
      // A tab beside the word is allowed, and read by some as another word.
      if (encoding !== undefined || line.text.includes('\t')) throw malformed('Transfer-Encoding');
      encoding = value.toLowerCase();
    } else if (kind === 'connection') connection = connection === '' ? value : `${connection},${value}`;
    else if (kind === 'keep-alive') keepSeconds = secondsOf(value);
  }
  if (encoding !== undefined && (encoding !== 'chunked' || contentLength !== undefined || isOld)) {
    throw malformed('Transfer-Encoding');
  }
  const hasNone = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const bodyLength = hasNone ? 0 : encoding !== undefined ? chunked : Number(contentLength ?? Infinity);
  const isKept = bodyLength !== Infinity && keeps(connection, isOld);
  return { status, message: first.message, rawHeaders, bodyLength, isKept, keepSeconds };
}

interface StatusLine {
  readonly status: number;
  readonly message: string;
  /** HTTP/1.0. */
  readonly isOld: boolean;
  /** Characters, CRLF included. */
  readonly length: number;
}

const usual: StatusLine = { status: 200, message: 'OK', isOld: false, length: usualLine.length };

function readStatusLine(text: string): StatusLine {
  const end = text.indexOf('\r\n');
  const [, minor, status, message = ''] = statusLine.exec(text.slice(0, end)) ?? [];
  if (status === undefined) throw malformed('no status line');
  return { status: Number(status), message, isOld: minor === '0', length: end + 2 };
}

/** The fields of a trailer section, each line ended by CRLF. @throws HTTPParserError. */
export function readTrailers(text: string, lines: FieldLines): string[] {
  const fields: string[] = [];
  for (let at = 0, index = 0; at < text.length; index++) {
    const line = lines.read(text, at, index);
    if (line.kind !== 'plain') throw malformed(`${line.name} in the trailers`);
    at += line.text.length;
    fields.push(line.name, line.value);
  }
  return fields;
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
