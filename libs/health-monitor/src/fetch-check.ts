import type { Check, CheckResult, CheckStatus } from './check.ts';
import type { CheckSignal } from './signal.ts';

/** The part of a `Response` that is used here. */
export interface HealthResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

/** The part of `fetch` that is used here. */
export type HealthFetch = (
  url: string,
  request: { headers: Record<string, string>; signal: CheckSignal },
) => Promise<HealthResponse>;

declare const fetch: HealthFetch;

/** What a health answer is read for. */
export interface FetchCheckOptions {
  /** Default: the platform's. */
  readonly fetch?: HealthFetch;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A longer answer is not read as JSON. */
const mostCharacters = 65_536;

/**
 * Asks a health endpoint with the platform's `fetch`, in browsers too: 2xx is up, or what {@link healthOf} finds in the answer. In Node `httpCheck` of
 * `@mesh/health-monitor/node` costs less.
 */
export function fetchCheck(url: string, options: FetchCheckOptions = {}): Check {
  const { fetch: ask = platformFetch, headers = {} } = options;
  return async (signal) => {
    const response = await ask(url, { headers: { ...headers, 'X-Health-Check': 'true' }, signal });
    const body = parsed(await response.text());
    return healthOf(response.status, (name) => response.headers.get(name) ?? undefined, body);
  };
}

const platformFetch: HealthFetch = (url, request) => fetch(url, request);

/**
 * What an answer says: `X-Immediate-Health-Check-Fail` (Envoy) is down at once; a status other than 2xx is down; the JSON's `status` of `degraded` (or
 * `warn`) is degraded, of `unhealthy`, `down`, `fail` or `error` is down, and so for `X-Health-Status: degraded`; all else is up. `instance` of the JSON, or
 * `X-Instance-Id`, is who answered.
 */
export function healthOf(
  httpStatus: number,
  header: (name: string) => string | undefined,
  body: unknown,
): CheckResult {
  const said = fieldsOf(body);
  const identity = header('x-instance-id') ?? said.instance;
  const facts = { details: body, ...(identity !== undefined && { identity }) };
  if (header('x-immediate-health-check-fail') !== undefined) {
    return { ...facts, status: 'down', immediate: true, message: 'asks to be left out' };
  }
  const word = said.status ?? header('x-health-status') ?? 'up';
  if (httpStatus < 200 || httpStatus > 299) {
    return {
      ...facts,
      status: 'down',
      message: `HTTP ${httpStatus}${said.status === undefined ? '' : `, ${word}`}`,
    };
  }
  const status = statusOf(word.toLowerCase());
  return { ...facts, status, ...(status !== 'up' && { message: word }) };
}

const words: Readonly<Record<string, CheckStatus>> = {
  degraded: 'degraded',
  warn: 'degraded',
  warning: 'degraded',
  unhealthy: 'down',
  down: 'down',
  fail: 'down',
  error: 'down',
  leaving: 'down',
};

const statusOf = (word: string): CheckStatus => (Object.hasOwn(words, word) ? (words[word] ?? 'up') : 'up');

/** JSON, or undefined. */
export function parsed(text: string): unknown {
  if (text.length > mostCharacters) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function fieldsOf(body: unknown): { readonly status?: string; readonly instance?: string } {
  if (typeof body !== 'object' || body === null) return {};
  const { status, instance } = body as Record<string, unknown>;
  return {
    ...(typeof status === 'string' && { status: status.slice(0, 50) }),
    ...(typeof instance === 'string' && { instance: instance.slice(0, 200) }),
  };
}
