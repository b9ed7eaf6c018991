import type { Dispatcher } from 'undici';

/** Receives what happens to one request (undici 8's handler). */
export type Handler = Dispatcher.DispatchHandler;

/** Steers one request: pause, resume, abort. */
export type Controller = Dispatcher.DispatchController;

/** Parsed response headers or trailers. */
export type ResponseHeaders = Parameters<NonNullable<Handler['onResponseStart']>>[2];

/** The socket of an upgraded connection. */
export type UpgradeSocket = Parameters<NonNullable<Handler['onRequestUpgrade']>>[3];

/** undici's `dispatch`. */
export type Dispatch = Dispatcher.Dispatch;
