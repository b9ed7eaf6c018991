/** What a limiter tells its caller. */
export interface RateLimitState {
  /** Name of the policy; printable ASCII. */
  readonly name: string;
  /** Permits of one period. */
  readonly limit: number;
  readonly periodMs: number;
  /** Permits that are left now. */
  readonly remaining: number;
  /** Milliseconds until all permits are there again. */
  readonly resetMs: number;
  /** Milliseconds until the next call may pass; 0 when now. */
  readonly retryAfterMs: number;
}

/** Response headers, as an object that `Headers`, Fastify and `node:http` take. */
export interface RateLimitHeaders {
  readonly 'RateLimit-Policy': string;
  readonly RateLimit: string;
  /** Only while nothing may pass. */
  readonly 'Retry-After'?: string;
}

/**
 * The header fields of draft-ietf-httpapi-ratelimit-headers: the policy with its quota `q` and window `w`, and the state with
 * what remains `r` and the time `t` until the quota is whole again, in seconds. A period that is no whole number of seconds
 * is told as the next larger window of the same rate.
 *
 * @example
 * rateLimitHeaders(limiter.state); // { 'RateLimit-Policy': '"api";q=100;w=60', RateLimit: '"api";r=42;t=35' }
 */
export function rateLimitHeaders(state: RateLimitState): RateLimitHeaders {
  const { limit, periodMs, remaining, resetMs, retryAfterMs } = state;
  const name = `"${state.name.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  const windowSeconds = seconds(periodMs);
  const quota = Math.floor((limit * windowSeconds * 1000) / periodMs);
  return {
    'RateLimit-Policy': `${name};q=${quota};w=${windowSeconds}`,
    RateLimit: `${name};r=${Math.min(remaining, quota)};t=${seconds(resetMs)}`,
    ...(retryAfterMs > 0 && { 'Retry-After': String(seconds(retryAfterMs)) }),
  };
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000 - 1e-9);
}

/**
 * Reads the header field `RateLimit` of a response: how long nothing remains, in milliseconds; `undefined` as long as something does.
 *
 * @example
 * const pauseMs = usedUpMs(response.headers.get('ratelimit')); // '"api";r=0;t=30' is 30 000
 * if (pauseMs !== undefined) limiter.pause(pauseMs);
 */
export function usedUpMs(rateLimit: string | null | undefined): number | undefined {
  let longest: number | undefined;
  // Items are quoted strings, in which anything may stand, with parameters.
  for (const [, parameters = ''] of (rateLimit ?? '').matchAll(/"(?:[^"\\]|\\.)*"([^,"]*)/g)) {
    const left = /;\s*r=(\d+)/.exec(parameters)?.[1];
    const until = /;\s*t=(\d+)/.exec(parameters)?.[1];
    if (left === undefined || until === undefined || Number(left) > 0) continue;
    longest = Math.max(longest ?? 0, Number(until) * 1000);
  }
  return longest;
}
