import { requestRule } from './header-rules.ts';
import { connectionOptions, valuesOf, without, type RawHeaders } from './hop-headers.ts';

/** What one pass over the header fields of a request finds. */
export interface RequestHead {
  /** The fields that go on as they came, without Host and what says who was there before. */
  headers: string[];
  host: string | undefined;
  /** What HTTP/2 has in the place of Host. */
  authority: string | undefined;
  /** Why the request may not be passed on. */
  fault: string | undefined;
  /** Declared bytes of the body; 0 when nothing is said. */
  length: number;
  isChunked: boolean;
  expectsContinue: boolean;
  /** The client reads trailers. */
  takesTrailers: boolean;
  /** The client asks for a stream of events. */
  isEventStream: boolean;
  /** The Via fields, in order. */
  via: string | undefined;
  /** The X-Forwarded-For fields, in order. */
  forwardedFor: string | undefined;
  /** Pairs of the other X-Forwarded fields and of Forwarded; undefined when there are none. */
  forwarded: string[] | undefined;
}

const cookieOnly: ReadonlySet<string> = new Set(['cookie']);

/** Reads a request's raw header fields once. */
export function readRequestHead(raw: RawHeaders): RequestHead {
  const head: RequestHead = {
    headers: [],
    host: undefined,
    authority: undefined,
    fault: undefined,
    length: 0,
    isChunked: false,
    expectsContinue: false,
    takesTrailers: false,
    isEventStream: false,
    via: undefined,
    forwardedFor: undefined,
    forwarded: undefined,
  };
  let connection: string[] | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    const rule = requestRule(name);
    if (rule === 'keep') head.headers.push(name, value);
    else if (rule === 'connection') (connection ??= []).push(value);
    else if (rule !== 'drop') readField(head, rule, name, value);
  }
  const nominated = connection && connectionOptions(connection);
  if (nominated !== undefined) head.headers = without(head.headers, nominated);
  if (head.authority !== undefined) fromHttp2(head, head.authority);
  return head;
}

function readField(
  head: RequestHead,
  rule: Exclude<ReturnType<typeof requestRule>, 'keep' | 'drop' | 'connection'>,
  name: string,
  value: string,
): void {
  switch (rule) {
    case 'host':
      if (head.host !== undefined) head.fault = 'there is more than one Host';
      head.host = value;
      return;
    case 'authority':
      head.authority = value;
      return;
    case 'accept':
      head.isEventStream ||= value.includes('text/event-stream');
      head.headers.push(name, value);
      return;
    case 'length':
      head.length = Number(value);
      head.headers.push(name, value);
      return;
    case 'encoding':
      head.isChunked = true;
      // Another coding would be taken off here and be missing there.
      if (value.toLowerCase() !== 'chunked') head.fault = 'the only Transfer-Encoding is chunked';
      return;
    case 'expect':
      head.expectsContinue = true;
      return;
    case 'te':
      head.takesTrailers ||= /(?:^|,)\s*trailers\s*(?:[,;]|$)/i.test(value);
      return;
    case 'via':
      head.via = joined(head.via, value);
      head.headers.push(name, value);
      return;
    case 'forwarded-for':
      head.forwardedFor = joined(head.forwardedFor, value);
      return;
    case 'forwarded':
      (head.forwarded ??= []).push(name, value);
  }
}

/** HTTP/2 may name the host twice and cut a Cookie into several fields (RFC 9113, 8.3.1 and 8.2.3). */
function fromHttp2(head: RequestHead, authority: string): void {
  if (head.host !== undefined && head.host !== authority) head.fault = 'Host and :authority are not the same';
  head.host = authority;
  const cookies = valuesOf(head.headers, 'cookie');
  if (cookies.length < 2) return;
  head.headers = without(head.headers, cookieOnly);
  head.headers.push('cookie', cookies.join('; '));
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
