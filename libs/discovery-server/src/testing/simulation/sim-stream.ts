import type { WatchStream } from '../../watcher.ts';
import type { SimHost } from './sim-host.ts';

type Read =
  { readonly done: false; readonly value: Uint8Array } | { readonly done: true; readonly value: undefined };

/** Carries something from the registry to a host, after the time that takes, in order. */
export type Carry = (action: () => void) => void;

const encoder = new TextEncoder();

/** One long answer: written by the registry, read by a client, broken by either or by what is in between. */
export class SimStream implements WatchStream {
  readonly #host: SimHost;
  readonly #carry: Carry;
  readonly #spoil: (text: string) => string;
  readonly #chunks: Uint8Array[] = [];
  readonly #forget: () => void;
  #waiting: { resolve(read: Read): void; reject(error: unknown): void } | undefined;
  #state: 'open' | 'ended' | 'broken' = 'open';
  #error = new Error('broken');
  #unread = 0;
  /** Called once when the registry learns that the connection is gone. */
  onClose: (() => void) | undefined;
  /** Sees what reaches the client. */
  onArrival: ((text: string) => void) | undefined;

  constructor(host: SimHost, spoil: (text: string) => string, carry: Carry) {
    this.#spoil = spoil;
    this.#host = host;
    this.#carry = carry;
    this.#forget = host.onDeath(() => {
      this.leave(new Error('killed'));
    });
  }

  get writableLength(): number {
    return this.#unread;
  }

  write(text: string): void {
    this.#unread += text.length;
    this.#carry(() => {
      this.#unread -= text.length;
      this.#host.run(() => {
        if (this.#state !== 'open') return;
        const arriving = this.#spoil(text);
        if (arriving === '') return;
        this.onArrival?.(arriving);
        this.#deliver(encoder.encode(arriving));
      });
    });
  }

  end(): void {
    this.#carry(() => {
      if (this.#state !== 'open') return;
      this.#state = 'ended';
      this.#waiting?.resolve({ done: true, value: undefined });
    });
    this.#closed();
  }

  /** The registry lets go of it, or died: the client is told by a reset. */
  destroy(): void {
    this.#carry(() => {
      this.#fail(new TypeError('terminated'));
    });
    this.#closed();
  }

  /** The client lets go of it, or died; the registry is told as soon as anything comes through. */
  leave(reason: unknown): void {
    this.#fail(reason);
    this.#host.whenConnected(() => {
      this.#carry(() => {
        this.#closed();
      });
    });
  }

  /** What a client reads from; as much of a `ReadableStream` as it uses. */
  readonly body = {
    getReader: () => ({
      read: (): Promise<Read> => this.#read(),
      cancel: (): Promise<void> => {
        this.leave(new Error('cancelled'));
        return Promise.resolve();
      },
    }),
    cancel: (): Promise<void> => {
      this.leave(new Error('cancelled'));
      return Promise.resolve();
    },
  };

  #read(): Promise<Read> {
    const value = this.#chunks.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#state === 'ended') return Promise.resolve({ done: true, value: undefined });
    if (this.#state === 'broken') return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #deliver(value: Uint8Array): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#chunks.push(value);
    else waiting.resolve({ done: false, value });
  }

  #fail(error: unknown): void {
    if (this.#state !== 'open') return;
    this.#state = 'broken';
    this.#error = error instanceof Error ? error : new Error(String(error));
    this.#chunks.length = 0;
    this.#waiting?.reject(this.#error);
    this.#forget();
  }

  #closed(): void {
    const { onClose } = this;
    this.onClose = undefined;
    onClose?.();
  }
}
