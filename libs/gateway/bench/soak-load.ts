/** Clients for a soak: each asks one thing after the other on a kept-alive connection; every second of them goes away in the middle. */
import { Agent, request, type RequestOptions } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const things: readonly { readonly path: string; readonly body?: string }[] = [
  { path: '/item-service/items' },
  { path: '/item-service/items' },
  { path: '/item-service/items' },
  { path: '/item-service/items', body: 'x'.repeat(20_000) },
  { path: '/item-service/large' },
  { path: '/item-service/slow' },
  { path: '/bad-service/503' },
  { path: '/bad-service/cut' },
  { path: '/no-service/items' },
];

export class SoakLoad {
  readonly #base: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #clients: number;
  #running: Promise<unknown> | undefined;
  #stopped = false;
  asked = 0;
  aborted = 0;
  /** Answers that were not the ones to be expected. */
  readonly faults = new Map<string, number>();

  constructor(base: string, clients: number) {
    this.#base = base;
    this.#clients = clients;
  }

  start(): void {
    this.#stopped = false;
    this.#running = Promise.all(Array.from({ length: this.#clients }, (_, at) => this.#drive(at % 2 === 0)));
  }

  /** Resolves when the last request is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Asks for what never comes, as often as there are clients, and gives all of it up after a while. */
  async giveUp(afterMs: number): Promise<void> {
    await Promise.all(
      Array.from({ length: this.#clients }, () => this.#ask('/item-service/never', undefined, afterMs)),
    );
  }

  async #drive(isPatient: boolean): Promise<void> {
    while (!this.#stopped) {
      const { path, body } = things[Math.floor(Math.random() * things.length)] ?? { path: '/' };
      const status = await this.#ask(path, body, isPatient ? undefined : Math.random() * 60);
      if (isPatient && path.startsWith('/item-service') && status !== '200') {
        this.faults.set(`${path} ${status}`, (this.faults.get(`${path} ${status}`) ?? 0) + 1);
      }
      if (Math.random() < 0.05) await pause(20);
    }
  }

  #ask(path: string, body: string | undefined, abortMs: number | undefined): Promise<string> {
    this.asked++;
    const options: RequestOptions = { agent: this.#agent, method: body === undefined ? 'GET' : 'POST' };
    return new Promise((resolve) => {
      const outgoing = request(this.#base + path, options, (answer) => {
        answer.resume();
        answer.once('error', () => undefined);
        answer.once('close', () => {
          resolve(String(answer.statusCode));
        });
      });
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message);
      });
      if (abortMs !== undefined) {
        const timer = setTimeout(() => {
          this.aborted++;
          outgoing.destroy();
        }, abortMs);
        outgoing.once('close', () => {
          clearTimeout(timer);
        });
      }
      outgoing.end(body);
    });
  }
}
