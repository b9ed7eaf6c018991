/** What a client in a soak can do: ask, give up, listen for a while, open a tunnel. Every call tells in one word how it ended. */
import { Agent, request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';

/** One thing to ask for. */
export interface Asked {
  readonly path: string;
  readonly body?: string | Buffer;
  /** Goes away after so many bytes of the answer. */
  readonly enoughBytes?: number;
}

export class SoakClient {
  readonly #base: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });

  constructor(base: string) {
    this.#base = base;
  }

  /**
   * Resolves with the status of a whole answer, `cut` for one that broke off, `shed` when the gateway had too much to do, `gone` when the
   * client went away (after `patienceMs`, or having had enough), else with the code of the error.
   */
  ask({ path, body, enoughBytes }: Asked, patienceMs?: number): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const outgoing = this.#request(path, { method: body === undefined ? 'GET' : 'POST' });
    const leave = (): void => {
      resolve('gone');
      outgoing.destroy();
    };
    outgoing.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      resolve(code ?? message);
    });
    outgoing.once('response', (answer) => {
      let bytes = 0;
      let text = '';
      const isProblem = answer.headers['content-type'] === 'application/problem+json';
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (isProblem) text += chunk.toString();
        if (enoughBytes !== undefined && bytes >= enoughBytes) leave();
      });
      answer.once('error', () => undefined);
      answer.once('close', () => {
        resolve(endOf(answer, text));
      });
    });
    leaveAfter(patienceMs, outgoing, leave);
    outgoing.end(body);
    return promise;
  }

  /** Opens a tunnel, sends something through it, and closes it the polite way or not; `echo` when it came back. */
  tunnel(path: string, isPolite: boolean): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const outgoing = this.#request(path, {
      agent: false,
      headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
    });
    outgoing.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      resolve(code ?? message);
    });
    outgoing.once('response', (answer) => {
      answer.resume().once('close', () => {
        resolve(String(answer.statusCode));
      });
    });
    outgoing.once('upgrade', (_answer, socket: Socket, first: Buffer) => {
      let text = first.toString();
      const look = (): void => {
        if (!text.endsWith('hello')) return;
        if (isPolite) socket.end();
        else socket.destroy();
      };
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        look();
      });
      socket.once('error', () => undefined);
      socket.once('close', () => {
        resolve(text === 'hello' ? 'echo' : 'cut');
      });
      socket.write('hello');
      look();
    });
    outgoing.end();
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }

  #request(path: string, options: RequestOptions): ClientRequest {
    return request(this.#base + path, { agent: this.#agent, ...options });
  }
}

function endOf({ complete, statusCode }: IncomingMessage, problem: string): string {
  if (!complete) return 'cut';
  return problem.includes('ERR_OVERLOADED') ? 'shed' : String(statusCode);
}

function leaveAfter(ms: number | undefined, outgoing: ClientRequest, leave: () => void): void {
  if (ms === undefined) return;
  const timer = setTimeout(leave, ms);
  outgoing.once('close', () => {
    clearTimeout(timer);
  });
}
