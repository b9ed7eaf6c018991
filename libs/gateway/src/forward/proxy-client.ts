import type { CallContext, callContext } from '@mesh/service-client';
import type { Duplex, Readable } from 'node:stream';

/** The part of undici's controller that the proxy uses. */
export interface UpstreamController {
  readonly rawHeaders?: unknown;
  readonly rawTrailers?: unknown;
  abort(reason: Error): void;
  pause(): void;
  resume(): void;
}

/** Header fields as undici parses them. */
export type ParsedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The part of undici's dispatch handler that the proxy implements. */
export interface UpstreamHandler {
  /** Whether it takes raw fields where there are some. */
  readonly readsRawHeaders?: boolean;
  onRequestStart(controller: UpstreamController, context: unknown): void;
  onRequestUpgrade?(
    controller: UpstreamController,
    status: number,
    headers: ParsedHeaders,
    socket: Duplex,
  ): void;
  onResponseStart(
    controller: UpstreamController,
    status: number,
    headers: ParsedHeaders,
    statusMessage?: string,
  ): void;
  onResponseData(controller: UpstreamController, chunk: Buffer): void;
  onResponseEnd(controller: UpstreamController, trailers: unknown): void;
  onResponseError(controller: UpstreamController | null, error: Error): void;
}

/** What the proxy asks a dispatcher for. */
export interface UpstreamRequest {
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  readonly headers: string[];
  readonly body: Readable | Buffer | null;
  readonly bodyTimeout: number;
  /** The protocol to change to: `websocket`. */
  readonly upgrade?: string;
  readonly [callContext]: CallContext;
}

/** What the proxy needs of a client; a `ServiceClient` of `@mesh/service-client` fits. */
export interface ProxyClient {
  readonly dispatcher: { dispatch(options: UpstreamRequest, handler: UpstreamHandler): boolean };
}
