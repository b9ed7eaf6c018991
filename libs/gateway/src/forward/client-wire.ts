import type { FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse, type OutgoingHttpHeaders } from 'node:http2';
import { trailerOnly } from './answer-head.ts';
import { without, type RawHeaders } from './hop-headers.ts';
import { pairsOf, writeInterim } from './raw-answer.ts';

/** How the parts of an answer are written in one version of HTTP; everything else is the same. */
export interface ClientWire {
  inform(response: ServerResponse, status: number, fields: RawHeaders): void;
  /** @throws when a field may not be written; nothing was then. */
  head(response: ServerResponse, status: number, statusMessage: string, fields: RawHeaders): void;
  trailers(response: ServerResponse, fields: RawHeaders): void;
  /** Breaks the answer off so that the client sees that it is not whole. */
  cut(response: ServerResponse): void;
}

const http1: ClientWire = {
  inform: writeInterim,
  head(response, status, statusMessage, fields) {
    // What cannot be chunked carries no trailers, and Node refuses to announce them there.
    const kept = takesChunks(response, status) ? fields : without(fields, trailerOnly);
    response.writeHead(status, plainText(statusMessage), kept as string[]);
  },
  trailers(response, fields) {
    response.addTrailers(pairsOf(fields));
  },
  cut(response) {
    response.destroy();
  },
};

const http2: ClientWire = {
  inform(response, status, fields) {
    const { stream } = asHttp2(response);
    if (!stream.destroyed && !stream.headersSent) {
      stream.additionalHeaders({ ':status': status, ...fieldsObject(fields) });
    }
  },
  head(response, status, _statusMessage, fields) {
    asHttp2(response).writeHead(status, fieldsObject(fields));
  },
  trailers(response, fields) {
    asHttp2(response).addTrailers(fieldsObject(fields));
  },
  cut(response) {
    const { stream } = asHttp2(response);
    // Without a code the half of an answer would look like the whole of it.
    if (stream.headersSent) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else response.destroy();
  },
};

/** What writes the answer to a request. */
export function wireOf({ raw }: FastifyRequest): ClientWire {
  return raw.httpVersionMajor === 2 ? http2 : http1;
}

/** Fastify types its replies for HTTP/1; with `http2: true` they are these. */
function asHttp2(response: ServerResponse): Http2ServerResponse {
  return response as unknown as Http2ServerResponse;
}

/** HTTP/2 has lower-case names only; several fields of one name are one list. */
function fieldsObject(fields: RawHeaders): OutgoingHttpHeaders {
  const lists = new Map<string, string[]>();
  for (const [name, value] of pairsOf(fields)) {
    const folded = name.toLowerCase();
    const list = lists.get(folded);
    if (list === undefined) lists.set(folded, [value]);
    else list.push(value);
  }
  const object: OutgoingHttpHeaders = Object.create(null) as OutgoingHttpHeaders;
  for (const [name, list] of lists) object[name] = list.length === 1 ? list[0] : list;
  return object;
}

function takesChunks({ req }: ServerResponse, status: number): boolean {
  return req.method !== 'HEAD' && status !== 204 && status !== 304 && req.httpVersionMinor !== 0;
}

/** The reason phrase means nothing to programs; one that Node would not write is left out. */
function plainText(statusMessage: string): string {
  return /^[\t\x20-\x7e]*$/.test(statusMessage) ? statusMessage : '';
}
