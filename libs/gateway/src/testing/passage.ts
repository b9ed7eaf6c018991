import { readTrace } from '@mesh/trace-context';
import type { Passage } from '../passage.ts';
import { readTarget } from '../routing/request-target.ts';

/** What a test says of a request. */
export interface PassageParts {
  /** Flat name and value pairs, as they came. */
  readonly headers?: readonly string[];
  readonly method?: string;
  readonly url?: string;
  readonly service?: string;
  readonly routeId?: string;
  readonly clientAddress?: string;
  readonly identity?: Passage['identity'];
}

/** A passage without a server around it, for what only reads its head. */
export function passageOf(parts: PassageParts = {}): Passage {
  const {
    headers = [],
    method = 'GET',
    url = '/orders',
    service = 'order-service',
    routeId = 'orders',
  } = parts;
  return {
    request: { raw: { method, url, rawHeaders: [...headers], socket: {} } } as unknown as Passage['request'],
    reply: {} as unknown as Passage['reply'],
    routeId,
    target: readTarget(url),
    service,
    path: url,
    trace: readTrace({}),
    clientAddress: parts.clientAddress ?? '192.0.2.1',
    identity: parts.identity,
    requestHeaders: [],
    answerHeaders: [],
    call: undefined,
    notes: undefined,
    onEnd: () => undefined,
  };
}

/** The value of a field in a flat list, where it is there once. */
export function valueOf(pairs: readonly string[], name: string): string | undefined {
  const at = pairs.findIndex((text, index) => index % 2 === 0 && text === name);
  return at === -1 ? undefined : pairs[at + 1];
}
