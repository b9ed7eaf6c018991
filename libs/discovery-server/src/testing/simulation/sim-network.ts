import type { SimHost } from './sim-host.ts';
import type { SimAnswer, SimRegistry } from './sim-registry.ts';
import { SimStream } from './sim-stream.ts';
import type { SimTime } from './sim-time.ts';

/** How the network behaves; changed while it runs. */
export interface Weather {
  /** One way, in milliseconds. */
  delayMs: { least: number; most: number };
  /** Of requests and answers; streams are retransmitted. */
  lossRatio: number;
}

const encoder = new TextEncoder();

/** Hosts that talk to one registry: a `fetch` for each, over a network that delays, loses and cuts. */
export class SimNetwork {
  readonly weather: Weather = { delayMs: { least: 0.5, most: 3 }, lossRatio: 0 };
  readonly #time: SimTime;
  readonly #registry: SimRegistry;
  readonly #random: () => number;
  /** What arrives instead of a piece of a stream. */
  spoil: ((text: string) => string) | undefined;
  /** Sees the streams of watches, and with what they began. */
  onWatch:
    ((host: SimHost, stream: SimStream, url: URL, lastEventId: string | undefined) => void) | undefined;

  constructor(time: SimTime, registry: SimRegistry, random: () => number) {
    this.#time = time;
    this.#registry = registry;
    this.#random = random;
  }

  /** The `fetch` of a process. */
  fetchOf(host: SimHost): typeof fetch {
    return (input, init) =>
      new Promise((resolve, reject) => {
        const signal = init?.signal;
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        let stream: SimStream | undefined;
        signal?.addEventListener('abort', () => {
          stream?.leave(signal.reason);
          reject(signal.reason as Error);
        });
        const request = {
          method: init?.method ?? 'GET',
          url: new URL(input as string),
          headers: (init?.headers ?? {}) as Record<string, string>,
          body: (typeof init?.body === 'string' ? JSON.parse(init.body) : {}) as Record<string, unknown>,
          address: host.address,
          stream: () => (stream ??= this.#openStream(host)),
        };
        const broken = (): void => {
          reject(new TypeError('fetch failed'));
        };
        this.#carry(host, broken, () => {
          this.#atRegistry(host, broken, () => {
            const answer = this.#registry.answer(request);
            if (answer.stream !== undefined && request.url.pathname === '/watch')
              this.onWatch?.(host, answer.stream, request.url, request.headers['last-event-id']);
            this.#carry(host, broken, () => {
              host.run(() => {
                resolve(asResponse(answer));
              });
            });
          });
        });
      });
  }

  /** One message, one way: it arrives, its connection breaks, or nothing is ever heard of it. */
  #carry(host: SimHost, broken: () => void, arrive: () => void): void {
    const isLost = this.#random() < this.weather.lossRatio;
    if (isLost && this.#random() < 0.5) return;
    this.#time.set(() => {
      if (isLost) broken();
      // Half of what was under way when the cable broke is retransmitted when it is there again, however late.
      else if (!host.isCut) arrive();
      else if (this.#random() < 0.5) host.whenConnected(arrive);
    }, this.#delayMs());
  }

  #atRegistry(host: SimHost, broken: () => void, act: () => void): void {
    if (this.#registry.isUp) this.#registry.host.run(act);
    else this.#carry(host, broken, broken);
  }

  #openStream(host: SimHost): SimStream {
    let lastArrival = 0;
    const spoil = (text: string): string => this.spoil?.(text) ?? text;
    return new SimStream(host, spoil, (action) => {
      // Bytes of one connection stay in order.
      lastArrival = Math.max(lastArrival, this.#time.now() + this.#delayMs());
      this.#time.set(() => {
        host.whenConnected(action);
      }, lastArrival - this.#time.now());
    });
  }

  #delayMs(): number {
    const { least, most } = this.weather.delayMs;
    return least + this.#random() * (most - least);
  }
}

/** As much of a `Response` as the client uses: making a real one takes longer than everything else. */
function asResponse({ status, headers = {}, body, stream }: SimAnswer): Response {
  let bytes = body === undefined ? undefined : encoder.encode(JSON.stringify(body));
  const reader = {
    read: () => {
      const value = bytes;
      bytes = undefined;
      return Promise.resolve(value === undefined ? { done: true, value } : { done: false, value });
    },
    cancel: () => Promise.resolve(),
  };
  const response = {
    ok: status >= 200 && status < 300,
    status,
    headers: { get: (name: string) => headers[name] ?? null },
    body: stream?.body ?? { getReader: () => reader, cancel: () => Promise.resolve() },
  };
  return response as unknown as Response;
}
