/** The part of an `AbortSignal` that is used here. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The platform's `AbortSignal` where your types know one (DOM, Node), else the part of it that is used here. */
export type CheckSignal = typeof globalThis extends { AbortSignal: { prototype: infer Signal } }
  ? Signal extends AbortSignalLike
    ? Signal
    : AbortSignalLike
  : AbortSignalLike;

interface AbortControllerLike {
  readonly signal: CheckSignal;
  abort(reason?: unknown): void;
}

declare const AbortController: new () => AbortControllerLike;

/** A controller of the platform. */
export const abortController = (): AbortControllerLike => new AbortController();
