/** Reads requests the strict way: the judge of what a gateway sends. */
/** One request as it stood on the wire. */
export interface WireRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const requestLine = /^([A-Z]+) (\S+) HTTP\/1\.1$/;
const field =
  /^([!#$%&'*+.^_`|~\dA-Za-z-]+): ?((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)$/;

/**
 * Reads requests by the letter of RFC 9112 and takes nothing that two readers could take for different things: a second implementation, on
 * purpose the simplest possible one.
 *
 * @throws Error for anything that is not in the plain subset.
 */
export function readRequests(bytes: string): { requests: WireRequest[]; rest: string } {
  const requests: WireRequest[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return { requests, rest };
    const [line = '', ...lines] = rest.slice(0, end).split('\r\n');
    const [, method, target] = requestLine.exec(line) ?? [];
    if (method === undefined || target === undefined)
      throw new Error(`not a request line: ${JSON.stringify(line)}`);
    const headers = lines.map(readField);
    const body = readBody(headers, rest.slice(end + 4));
    if (body === undefined) return { requests, rest };
    requests.push({ method, target, headers, body: body.text });
    rest = body.rest;
  }
}

function readField(line: string): readonly [string, string] {
  const [, name, value] = field.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a header: ${JSON.stringify(line)}`);
  return [name, value];
}

/** All values of a header. */
export function valuesOf(headers: WireRequest['headers'], wanted: string): string[] {
  return headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

function readBody(
  headers: WireRequest['headers'],
  bytes: string,
): { text: string; rest: string } | undefined {
  const lengths = valuesOf(headers, 'content-length');
  const codings = valuesOf(headers, 'transfer-encoding');
  if (lengths.length + codings.length > 1) throw new Error('two ways to frame one body');
  if (codings.length === 1) {
    if (codings[0] !== 'chunked') throw new Error(`transfer coding ${codings[0]}`);
    return readChunks(bytes);
  }
  const [length = '0'] = lengths;
  if (!/^\d+$/.test(length)) throw new Error(`content-length ${length}`);
  return bytes.length < Number(length)
    ? undefined
    : { text: bytes.slice(0, Number(length)), rest: bytes.slice(Number(length)) };
}

function readChunks(bytes: string): { text: string; rest: string } | undefined {
  let text = '';
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return undefined;
    const size = bytes.slice(at, end);
    if (!/^[\da-fA-F]{1,8}$/.test(size)) throw new Error(`chunk size ${JSON.stringify(size)}`);
    const length = Number.parseInt(size, 16);
    const next = end + 2 + length;
    if (length === 0) {
      const over = bytes.indexOf('\r\n\r\n', end);
      return over === -1 ? undefined : { text, rest: bytes.slice(over + 4) };
    }
    if (bytes.length < next + 2) return undefined;
    if (bytes.slice(next, next + 2) !== '\r\n') throw new Error('a chunk is longer than it says');
    text += bytes.slice(end + 2, next);
    at = next + 2;
  }
}
