declare const setImmediate: (callback: () => void) => void;

/** Ways in which what is protected behaves. */
export const boom = new Error('boom');
export const fail = (): Promise<never> => Promise.reject(boom);
export const succeed = (): Promise<string> => Promise.resolve('ok');
export const hang = (): Promise<never> => new Promise(() => undefined);
export const throwBoom = (): never => {
  throw boom;
};

/** A promise that is settled by hand. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<T = string>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settlers) => {
    [resolve, reject] = settlers;
  });
  return { promise, resolve, reject };
}

/** When all promises that can settle have settled. */
export const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** What a promise rejects with. */
export const rejectionOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => {
      throw new Error(`resolved with ${String(value)}`);
    },
    (error: unknown) => error,
  );
