import { stringify } from 'node:querystring';
import { errors } from 'undici';
import type { TransportRequest } from '../transport.ts';
import { fieldKind, isFieldValue } from './field-names.ts';
import type { RequestBody } from './request-body.ts';

/** The head of a request, and what follows from it. */
export interface RequestHead {
  readonly text: string;
  /** Bytes of the body that were announced; undefined when it goes in chunks. */
  readonly length: number | undefined;
  /** Whether the connection is to be closed after the answer. */
  readonly isLast: boolean;
}

const notInTarget = /[^\x21-\x7e\x80-\xff]/;
const payloadMethods = new Set(['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH']);

/**
 * Writes the head of a request as one text. Fields keep their order, case and duplicates; what frames the message is written here and nowhere
 * else, so that there is one length and one reading of it.
 *
 * @param host what `Host` is when the request has none.
 * @throws InvalidArgumentError for what may not be written, RequestContentLengthMismatchError for a length that is not the body's.
 */
export function requestHead(request: TransportRequest, body: RequestBody, host: string): RequestHead {
  const { method, headers, upgrade } = request;
  if (fieldKind(method) === 'invalid') throw invalid('method');
  let fields = '';
  let ownHost: string | undefined;
  let declared: string | undefined;
  let isLast = request.reset === true || method === 'HEAD';
  let hasType = false;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const value = headers[at + 1] ?? '';
    if (!isFieldValue(value)) throw invalid(`value of ${name}`);
    const kind = fieldKind(name);
    if (kind === 'plain') {
      fields += `${name}: ${value}\r\n`;
      if (body.contentType !== undefined && name.toLowerCase() === 'content-type') hasType = true;
    } else if (kind === 'host') {
      if (ownHost !== undefined) throw invalid('second Host');
      ownHost = value;
    } else if (kind === 'content-length') {
      if (declared !== undefined || !/^\d{1,15}$/.test(value)) throw invalid('Content-Length');
      declared = value;
    } else if (kind === 'connection') {
      const option = value.toLowerCase();
      if (option === 'close') isLast = true;
      else if (option !== 'keep-alive') throw invalid('Connection');
    } else throw invalid(kind === 'invalid' ? 'header name' : kind);
  }
  if (!hasType && body.contentType !== undefined) fields += `content-type: ${body.contentType}\r\n`;
  const length = lengthOf(method, body, declared);
  if (length === undefined) fields += 'transfer-encoding: chunked\r\n';
  else if (length > 0 || declared !== undefined || payloadMethods.has(method)) {
    fields += `content-length: ${length}\r\n`;
  }
  const connection = isUpgrade(request) ? upgradeFields(upgrade) : isLast ? 'connection: close\r\n' : '';
  const text = `${method} ${targetOf(request)} HTTP/1.1\r\nhost: ${ownHost ?? host}\r\n${connection}${fields}\r\n`;
  return { text, length, isLast };
}

/** Whether the connection is to speak something else after the answer. */
export function isUpgrade({ method, upgrade }: TransportRequest): boolean {
  return method === 'CONNECT' || (upgrade !== undefined && upgrade !== null && upgrade !== false);
}

function upgradeFields(upgrade: TransportRequest['upgrade']): string {
  if (upgrade === undefined || upgrade === null || upgrade === false) return '';
  const protocol = upgrade === true ? 'Websocket' : upgrade;
  if (!isFieldValue(protocol)) throw invalid('upgrade');
  return `connection: upgrade\r\nupgrade: ${protocol}\r\n`;
}

function targetOf({ method, path, query }: TransportRequest): string {
  if (path === '' || notInTarget.test(path)) throw invalid('path');
  if (path.charCodeAt(0) !== 0x2f && path !== '*' && method !== 'CONNECT') throw invalid('path');
  if (query === undefined) return path;
  if (path.includes('?') || path.includes('#')) throw invalid('path beside a query');
  const text = stringify(query as Record<string, string>);
  return text === '' ? path : `${path}?${text}`;
}

/** @throws RequestContentLengthMismatchError. */
function lengthOf(method: string, body: RequestBody, declared: string | undefined): number | undefined {
  if (body.stream !== undefined) return declared === undefined ? undefined : Number(declared);
  const length = body.bytes?.length ?? 0;
  // The length in a HEAD is that of nothing that is sent.
  if (declared !== undefined && Number(declared) !== length && method !== 'HEAD') {
    throw new errors.RequestContentLengthMismatchError();
  }
  return length;
}

function invalid(what: string): Error {
  return new errors.InvalidArgumentError(`invalid ${what}`);
}
