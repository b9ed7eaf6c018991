import type { Attempt } from './attempt.ts';
import type { Call } from './call.ts';
import type { Fields } from './transport.ts';

/** Says in the headers of an answer what the client did for it: who answered, at which attempt, after how many milliseconds. */
export function withDebugHeaders(call: Call, attempt: Attempt, headers: Fields): Fields {
  const own = {
    'x-mesh-service': call.name,
    'x-mesh-instance': attempt.instance ?? '',
    'x-mesh-attempts': String(call.context.attempts),
    'x-mesh-retries': String(call.retries),
    'x-mesh-duration': (call.clock.now() - call.startedAt).toFixed(1),
  };
  const { flow } = attempt;
  const raw = flow?.rawHeaders;
  if (flow !== undefined && Array.isArray(raw)) {
    const pairs = Object.entries(own).flat();
    // Of the kind that is there: bytes from undici's parser, text from others.
    flow.rawHeaders =
      typeof raw[0] === 'string'
        ? [...(raw as string[]), ...pairs]
        : [...(raw as Buffer[]), ...pairs.map((text) => Buffer.from(text, 'latin1'))];
  }
  return { ...headers, ...own };
}
