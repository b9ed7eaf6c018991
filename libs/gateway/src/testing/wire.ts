import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Bytes as text, one character a byte. */
const latin1 = (chunk: Buffer | string): string =>
  typeof chunk === 'string' ? chunk : chunk.toString('latin1');

/** An upstream that writes down every byte and answers every request that it reads the strict way. */
export class RecordingUpstream {
  readonly #server = createServer((socket) => {
    this.#serve(socket);
  });
  readonly #sockets = new Set<Socket>();
  #streams: { text: string }[] = [];

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Every byte that came. */
  get received(): string {
    return this.#streams.map(({ text }) => text).join('');
  }

  /** Every request that came, read strictly. @throws Error when what came is not plain HTTP/1.1. */
  get requests(): WireRequest[] {
    return this.#streams.flatMap(({ text }) => readRequests(text).requests);
  }

  /** Forgets what came; a connection that is between two requests goes on. */
  forget(): void {
    for (const stream of this.#streams) stream.text = '';
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: Socket): void {
    const stream = { text: '' };
    let unread = '';
    this.#streams.push(stream);
    this.#sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      stream.text += latin1(chunk);
      try {
        const { requests, rest } = readRequests(unread + latin1(chunk));
        unread = rest;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'.repeat(requests.length));
      } catch {
        // `requests` tells the test.
        socket.destroy();
      }
    });
  }
}

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

/** When {@link exchange} is over. */
export interface ExchangeOptions {
  /** So many final answers (default 1); a connection that closes before has given all it will. */
  readonly answers?: number;
  /** Longest wait, in milliseconds (default 2000). */
  readonly waitMs?: number;
}

/** Writes bytes on a connection of its own and gives everything that came back. */
export function exchange(port: number, bytes: string, options: ExchangeOptions = {}): Promise<string> {
  const { answers = 1, waitMs = 2000 } = options;
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += latin1(chunk);
      // What the same turn still brings is part of it.
      if (statusesOf(text).length >= answers) setTimeout(() => socket.destroy(), 5);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.write(bytes, 'latin1');
  });
}

/** Status codes of the answers in what came back, interim ones left out. */
export function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)]
    .map(([, status]) => Number(status))
    .filter((status) => status >= 200);
}
