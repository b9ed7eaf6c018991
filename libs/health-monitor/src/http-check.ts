import { failed, type Check, type CheckResult } from './check.ts';
import { healthOf, parsed } from './fetch-check.ts';
import { nodeModule, type Lookup, type NodeResponse, type NodeSocket } from './node-api.ts';

/** How a health endpoint is asked. */
export interface HttpCheckOptions {
  /** Default `GET`. */
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: that of `node:dns`. */
  readonly lookup?: Lookup;
  /** A header by which the answer may say which process it is from: with another value it is a stranger's, and the target down. */
  readonly from?: { readonly header: string; readonly value: string };
}

/** More of an answer is not read. */
const mostCharacters = 65_536;

declare const URL: new (url: string) => { readonly protocol: string };

/**
 * Asks a health endpoint over a connection of its own, so that a good answer also says that new ones are accepted. What the answer means: see `healthOf`.
 * It keeps no process alive.
 *
 * @throws RangeError when the URL is none of http or https.
 */
export function httpCheck(url: string, options: HttpCheckOptions = {}): Check {
  const { protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new RangeError(`healthMonitor: url must be http or https, got ${protocol}`);
  }
  const { method = 'GET', headers, lookup, from } = options;
  const resolving = lookup === undefined ? {} : { lookup };
  const http = nodeModule(protocol === 'https:' ? 'node:https' : 'node:http');
  const sent = { ...headers, 'x-health-check': 'true' };
  return (signal) =>
    new Promise((resolve, reject) => {
      http
        .request(url, { agent: false, method, headers: sent, signal, ...resolving }, (response) => {
          const who = from === undefined ? undefined : headerOf(response, from.header);
          if (from === undefined || who === undefined || who === from.value) read(response, resolve, reject);
          else {
            resolve(failed(`expected ${from.value}, ${who} answered`));
            response.destroy();
          }
        })
        .on('socket', (socket: NodeSocket) => socket.unref())
        .on('error', reject)
        .end();
    });
}

function headerOf({ headers }: NodeResponse, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

function read(
  response: NodeResponse,
  resolve: (result: CheckResult) => void,
  reject: (error: Error) => void,
): void {
  let text = '';
  response.setEncoding('utf8');
  const end = (): void => {
    resolve(healthOf(response.statusCode ?? 0, (name) => headerOf(response, name), parsed(text)));
  };
  response
    .on('data', (chunk: string) => {
      text += chunk;
      if (text.length <= mostCharacters) return;
      end();
      response.destroy();
    })
    .on('end', end)
    .on('error', reject);
}
