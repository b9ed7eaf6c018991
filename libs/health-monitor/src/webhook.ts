import { text } from './range.ts';
import type { CheckSignal } from './signal.ts';
import type { Sink } from './sink.ts';

/** The part of a `Response` that is used here. */
export interface WebhookResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body?: { cancel(): Promise<void> } | null;
}

/** The part of `fetch` that is used here. */
export type WebhookFetch = (
  url: string,
  request: {
    method: 'POST';
    headers: Record<string, string>;
    body: string;
    signal: CheckSignal;
    redirect: 'error';
  },
) => Promise<WebhookResponse>;

/** Where a webhook goes, and how its receiver knows that it is ours. */
export interface WebhookOptions extends Partial<Pick<Sink, 'name' | 'minimumSeverity'>> {
  /** http or https. */
  readonly url: string;
  /** Key of the signature. Default: none, and no signature. */
  readonly secret?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the platform's. */
  readonly fetch?: WebhookFetch;
  /** Wall clock for the signature, in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

interface Key {
  readonly type: string;
}

interface Subtle {
  importKey(
    format: 'raw',
    key: Uint8Array,
    algorithm: { name: 'HMAC'; hash: 'SHA-256' },
    extractable: false,
    usages: ['sign'],
  ): Promise<Key>;
  sign(algorithm: 'HMAC', key: Key, data: Uint8Array): Promise<ArrayBuffer>;
}

declare const crypto: { readonly subtle: Subtle };
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const URL: new (url: string) => { readonly protocol: string; readonly origin: string };
declare const fetch: WebhookFetch;

/** An answer that is not a success. */
class WebhookError extends Error {
  override readonly name = 'WebhookError';
  readonly code = 'ERR_WEBHOOK';
  readonly status: number;
  /** Asking again will not help. */
  readonly permanent: boolean;
  readonly retryAfterMs: number;

  constructor(url: string, { status, headers }: WebhookResponse) {
    super(`${new URL(url).origin} answered ${status}`);
    this.status = status;
    this.permanent = status < 500 && status !== 408 && status !== 425 && status !== 429;
    this.retryAfterMs = Math.max(0, Number(headers.get('retry-after') ?? 0) * 1000) || 0;
  }
}

/**
 * Posts each notice as JSON. With a secret, `x-mesh-signature` is `t=<seconds since 1970>,v1=<hex>`: the HMAC-SHA256 of `<seconds>.<body>`; check it
 * with `verifyWebhook`, and refuse times that are long ago. `x-mesh-notice` is the id of the notice: who remembers it takes none twice. 5xx, 408,
 * 425 and 429 are tried again (no sooner than `Retry-After`), other answers are final.
 *
 * @throws RangeError when the URL is none of http or https.
 */
export function webhookSink(options: WebhookOptions): Sink {
  const { url, secret, headers = {}, fetch: send = platformFetch, now = Date.now } = options;
  const { protocol } = new URL(text('url', url));
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new RangeError(`healthMonitor: url must be http or https, got ${protocol}`);
  }
  return {
    name: options.name ?? 'webhook',
    ...(options.minimumSeverity !== undefined && { minimumSeverity: options.minimumSeverity }),
    async deliver(notice, signal) {
      const body = JSON.stringify(notice);
      const signature =
        secret === undefined ? {} : { 'x-mesh-signature': await signWebhook(secret, body, now()) };
      const response = await send(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'x-mesh-notice': notice.id, ...signature },
        body,
        signal,
        redirect: 'error',
      });
      // What it says does not matter; unread it would hold the connection.
      await response.body?.cancel();
      if (response.status < 200 || response.status > 299) throw new WebhookError(url, response);
    },
  };
}

const platformFetch: WebhookFetch = (url, request) => fetch(url, request);

/** The value of `x-mesh-signature` for a body that is sent at a time (milliseconds). */
export async function signWebhook(secret: string, body: string, now: number): Promise<string> {
  const seconds = Math.floor(now / 1000);
  return `t=${seconds},v1=${await hmac(secret, `${seconds}.${body}`)}`;
}

/** How a received webhook is checked. */
export interface VerifyOptions {
  readonly secret: string;
  /** Exactly as it came. */
  readonly body: string;
  /** Of the header `x-mesh-signature`. */
  readonly signature: string;
  /** Oldest (or most future) signature that is taken, in milliseconds. Default 300 000. */
  readonly toleranceMs?: number;
  /** Milliseconds since 1970. Default `Date.now()`. */
  readonly now?: number;
}

/** Whether a webhook is from who knows the secret, and from now. */
export async function verifyWebhook(options: VerifyOptions): Promise<boolean> {
  const { secret, body, signature, toleranceMs = 300_000, now = Date.now() } = options;
  const [, seconds = '', found = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
  if (seconds === '' || Math.abs(now - Number(seconds) * 1000) > toleranceMs) return false;
  return equal(found, await hmac(secret, `${seconds}.${body}`));
}

async function hmac(secret: string, message: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: 'HMAC', hash: 'SHA-256' } as const;
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['sign']);
  const bytes = new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(message)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Takes the same time wherever the two differ. */
function equal(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
