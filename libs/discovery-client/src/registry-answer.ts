import type { DiscoveryErrorDetails } from './discovery-error.ts';
import { DiscoveryError } from './discovery-error.ts';
import type { Instance } from './instance.ts';
import { readInstance } from './instance.ts';
import type { Position } from './position.ts';
import { parsePosition } from './position.ts';

/** The instances of a service as the registry answered. */
export interface ServiceList {
  readonly instances: readonly Instance[];
  readonly revision: string;
  /** Undefined when the answer does not say which run of the registry it is from. */
  readonly position: Position | undefined;
  /** How long the list is good for, where the answer says so (DNS); otherwise by heartbeat interval x `cacheMultiplier`. */
  readonly ttlMs?: number;
}

/** A registration as the registry accepted it. */
export interface Acceptance {
  readonly instance: Instance;
  readonly position: Position | undefined;
}

/** Longest answer that is read: 100 000 instances need about 24 MB. */
export const maximumAnswerLength = 64 * 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

/** Reads a whole answer, up to a bound. */
export async function readText(response: Response): Promise<string> {
  if (response.body === null) return '';
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    if (text.length > maximumAnswerLength) {
      await reader.cancel();
      throw new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', 'the answer of the registry is too long');
    }
  }
}

/** The object in `text`, or undefined. */
export function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** `{ name, instances, revision }`. */
export function readServiceList(body: Json): ServiceList {
  if (!Array.isArray(body['instances'])) throw malformed('GET /services/:name');
  const { revision } = body;
  return {
    instances: readInstances(body['instances']),
    revision: typeof revision === 'string' || typeof revision === 'number' ? String(revision) : '',
    position: parsePosition(revision),
  };
}

/** All that are instances; one that is malformed must not take the others away from the callers. */
export function readInstances(values: readonly unknown[]): Instance[] {
  return values.map(readInstance).filter((instance) => instance !== undefined);
}

/** `{ ...Instance, lease, revision }`. */
export function readAcceptance(body: Json): Acceptance {
  const instance = readInstance(body);
  if (instance === undefined) throw malformed('POST /register');
  return { instance, position: parsePosition(body['revision']) };
}

/** The typed error for an answer that is no success; problem JSON (RFC 9457) gives the reason. */
export function refusal(call: string, response: Response, body: Json | undefined): DiscoveryError {
  return refusalOf(call, response.status, body, retryAfter(response));
}

/** What `POST /heartbeats` answers of each: an error unless it went well. Undefined for what is no such answer. */
export function readBeats(
  body: Json | undefined,
  count: number,
): readonly (DiscoveryError | undefined)[] | undefined {
  const results: unknown = body?.['results'];
  if (!Array.isArray(results) || results.length !== count) return undefined;
  return results.map((result: Json | null) => {
    const status = Number(result?.['status']);
    return status === 200 ? undefined : refusalOf('POST /heartbeats', status || 500, result ?? {}, {});
  });
}

function refusalOf(
  call: string,
  status: number,
  body: Json | undefined,
  more: DiscoveryErrorDetails,
): DiscoveryError {
  const transient = status >= 500 || status === 408 || status === 425 || status === 429;
  const reason = body?.['code'];
  const detail = body?.['detail'];
  const details: DiscoveryErrorDetails = {
    status,
    ...(typeof reason === 'string' && { reason }),
    ...more,
  };
  return new DiscoveryError(
    transient ? 'ERR_DISCOVERY_UNAVAILABLE' : 'ERR_DISCOVERY_REJECTED',
    `${call}: the registry answered ${status}${typeof detail === 'string' ? `, ${detail}` : ''}`,
    details,
  );
}

/** The registry answered, but not in its own language. */
export function malformed(call: string): DiscoveryError {
  return new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `${call}: the answer is not a registry's`);
}

function retryAfter(response: Response): { retryAfterMs?: number } {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {};
}
