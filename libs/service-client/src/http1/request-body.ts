import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { errors, FormData as UndiciFormData, Response as UndiciResponse } from 'undici';
import type { Body } from '../transport.ts';

/** A body as it is written: nothing, bytes, or a stream. `contentType` is what the body itself says that it is. */
export interface RequestBody {
  readonly bytes: Buffer | undefined;
  readonly stream: Readable | undefined;
  readonly contentType: string | undefined;
}

const none: RequestBody = { bytes: undefined, stream: undefined, contentType: undefined };

/** What a caller gives, in one of the three shapes. @throws InvalidArgumentError when it is none that can be sent. */
export function readBody(body: Body): RequestBody {
  if (body === null || body === undefined) return none;
  if (body instanceof Uint8Array) return bytesOnly(body);
  if (typeof body === 'string') return bytesOnly(Buffer.from(body));
  if (body instanceof Readable) return { ...none, stream: body };
  if (body instanceof ArrayBuffer) return bytesOnly(new Uint8Array(body));
  if (ArrayBuffer.isView(body)) {
    return bytesOnly(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  }
  if (isWebBody(body)) return fromWeb(body);
  if (Symbol.asyncIterator in body || Symbol.iterator in body) {
    return { ...none, stream: Readable.from(body as AsyncIterable<unknown>, { objectMode: false }) };
  }
  throw new errors.InvalidArgumentError(
    'body must be a string, a Buffer, a Readable stream, an iterable or FormData',
  );
}

function bytesOnly(bytes: Uint8Array): RequestBody {
  if (bytes.length === 0) return none;
  const { buffer, byteOffset, length } = bytes;
  return { ...none, bytes: bytes instanceof Buffer ? bytes : Buffer.from(buffer, byteOffset, length) };
}

function isWebBody(body: object): boolean {
  return body instanceof Blob || isForm(body) || body instanceof globalThis.ReadableStream;
}

function isForm(body: object): boolean {
  return body instanceof FormData || body instanceof UndiciFormData || body instanceof URLSearchParams;
}

/** Forms and blobs are written by the Response of their own implementation: each knows only its own. */
function fromWeb(body: object): RequestBody {
  const Own = body instanceof UndiciFormData ? UndiciResponse : Response;
  const response = new Own(body as never);
  const stream = Readable.fromWeb(response.body as ReadableStream);
  return { ...none, stream, contentType: response.headers.get('content-type') ?? undefined };
}
