/// <reference types="node" />
import type * as Http from 'node:http';

/** The part of Node's global that this file looks for; it is absent in browsers. */
interface Platform {
  readonly process?: { getBuiltinModule?(name: string): unknown };
}

/**
 * A request whose answer streams for as long as the caller likes, without keeping the process alive: the platform's `fetch`
 * holds a Node process until the body ends, and gives no way to let go of its socket. Elsewhere it is `fetch`.
 */
export const platformStream: typeof fetch = async (input, init) => {
  const url = input as string;
  const http = nodeHttp(url);
  return http === undefined ? fetch(url, init) : await openWith(http, url, init ?? {});
};

function nodeHttp(url: string): typeof Http | undefined {
  const { process } = globalThis as Platform;
  return process?.getBuiltinModule?.(url.startsWith('https:') ? 'node:https' : 'node:http') as
    typeof Http | undefined;
}

function openWith(http: typeof Http, url: string, init: RequestInit): Promise<Response> {
  return new Promise((resolve, reject) => {
    const headers = init.headers as Record<string, string>;
    const signal = init.signal ?? new AbortController().signal;
    // A connection of its own: one from a pool would be held by nobody and closed by anybody.
    const { method = 'GET' } = init;
    const request = http.request(url, { method, headers, agent: false, signal }, (answer) => {
      answer.socket.unref();
      resolve(asResponse(answer, signal));
    });
    request.once('error', (error) => {
      reject(signal.aborted ? (signal.reason as Error) : error);
    });
    request.end(init.body);
  });
}

function asResponse(answer: Http.IncomingMessage, signal: AbortSignal): Response {
  const status = answer.statusCode ?? 502;
  if (status >= 300 && status < 400) answer.destroy(new TypeError('unexpected redirect'));
  const body = new ReadableStream<Uint8Array>(
    {
      start(stream) {
        answer.on('data', (chunk: Uint8Array) => {
          stream.enqueue(chunk);
          if ((stream.desiredSize ?? 0) <= 0) answer.pause();
        });
        answer.once('end', () => {
          stream.close();
        });
        answer.once('error', (error) => {
          stream.error(signal.aborted ? signal.reason : error);
        });
      },
      pull() {
        answer.resume();
      },
      cancel() {
        answer.destroy();
      },
    },
    { highWaterMark: 16 },
  );
  const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
  // A status that forbids a body (204, 304) is no stream either.
  return new Response(status === 204 || status === 304 ? null : body, {
    status,
    headers: headers as [string, string][],
  });
}
