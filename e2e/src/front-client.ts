import { Agent, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

/** What came back, and what it took. */
export interface FrontAnswer {
  readonly status: number;
  readonly body: string;
  /** Whether the first gateway closed before it had answered a byte, so that the other was asked. */
  readonly asked: 'once' | 'twice';
}

/**
 * A client of several gateways that does what any HTTP client does for a read: kept-alive connections, the gateways in turn, and when one
 * refuses the connection, or closes it before a byte of the answer came, the next one, once (RFC 9110, 9.2.2). It knows nothing of the mesh.
 */
export class FrontClient {
  readonly #gateways: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  #turn = 0;

  constructor(gateways: readonly string[]) {
    this.#gateways = gateways;
  }

  async get(path: string): Promise<FrontAnswer> {
    const turn = this.#turn++;
    try {
      return { ...(await this.#ask(turn, path)), asked: 'once' };
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const answer = await this.#ask(turn + 1, path).catch((second: unknown) => {
        throw new Error(`${error.message}, then ${String(second)}`, { cause: error });
      });
      return { ...answer, asked: 'twice' };
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #ask(turn: number, path: string): Promise<{ status: number; body: string }> {
    const origin = this.#gateways[turn % this.#gateways.length] ?? '';
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(origin + path, { agent: this.#agent, signal: AbortSignal.timeout(20_000) }, resolve)
        .once('error', (cause) => {
          reject(new NoAnswer(`${origin}: ${cause.message}`, { cause }));
        })
        .end();
    });
    return { status: answer.statusCode ?? 0, body: await text(answer) };
  }
}

class NoAnswer extends Error {}
