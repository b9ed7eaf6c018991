import { Dispatcher, Dispatcher1Wrapper } from 'undici';
import type { ServiceDispatchOptions } from './call-context.ts';
import type { Stack } from './stack.ts';
import type { Handler } from './transport.ts';

/** Node's own type of the wrapper does not tell of it. */
const { wrapHandler } = Dispatcher1Wrapper as unknown as { wrapHandler: (handler: unknown) => Handler };

/** How long `close()` of a dispatcher waits for requests under way, in milliseconds. */
const graceMs = 5000;

/**
 * The door for undici: a stack as a dispatcher, for `undici.request`, `fetch`, proxies and SDKs. It also takes the handlers of the `fetch`
 * built into Node 22 and 24, which undici 8 no longer calls: they have the callbacks of undici 6 and 7 (onConnect, onHeaders, ...).
 */
export class StackDispatcher extends Dispatcher {
  readonly #stack: Stack;
  readonly #closeAll: (graceMs: number) => Promise<void>;

  constructor(stack: Stack, closeAll: (graceMs: number) => Promise<void>) {
    super();
    this.#stack = stack;
    this.#closeAll = closeAll;
  }

  override dispatch(options: ServiceDispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const modern = typeof handler.onRequestStart === 'function' ? (handler as Handler) : wrapHandler(handler);
    return this.#stack.dispatch(options, modern);
  }

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    return this.#end(graceMs, callback);
  }

  override destroy(reason?: Error | null | (() => void), callback?: () => void): Promise<void>;
  override destroy(
    reason?: Error | null | (() => void),
    callback: (() => void) | undefined = typeof reason === 'function' ? reason : undefined,
  ): Promise<void> {
    return this.#end(0, callback) ?? Promise.resolve();
  }

  #end(waitMs: number, callback: (() => void) | undefined): Promise<void> | undefined {
    const ended = this.#closeAll(waitMs);
    if (callback === undefined) return ended;
    void ended.then(callback);
    return undefined;
  }
}
