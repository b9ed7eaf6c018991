import type { FastifyReply } from 'fastify';
import type { Passage } from '../passage.ts';
import { endToEnd, valuesOf } from './hop-headers.ts';

/**
 * The fields of an answer for the client: those of the instance, then what the gateway's own hooks had put on the reply (CORS, security)
 * where the instance says nothing of that name, then those of the passage. Rules of CORS are the gateway's alone when it has any,
 * also for whom they do not let in.
 */
export function gatewayFields(
  rawHeaders: readonly string[],
  { reply, answerHeaders, hasCors = false }: Passage,
): readonly string[] {
  const own = reply.getHeaders();
  let fields: string[] | undefined = hasCors ? withoutCors(rawHeaders) : undefined;
  for (const name in own) {
    fields ??= own['access-control-allow-origin'] === undefined ? [...rawHeaders] : withoutCors(rawHeaders);
    addOwn(fields, name, own[name]);
  }
  if (answerHeaders.length === 0) return fields ?? rawHeaders;
  return [...(fields ?? rawHeaders), ...answerHeaders];
}

function withoutCors(rawHeaders: readonly string[]): string[] {
  return endToEnd(rawHeaders, (name) => name.startsWith('access-control-'));
}

/** Several values of one name are several lines. */
function addOwn(
  fields: string[],
  name: string,
  value: string | number | readonly string[] | undefined,
): void {
  if (value === undefined || (name !== 'vary' && valuesOf(fields, name).length > 0)) return;
  for (const one of typeof value === 'object' ? value : [value]) fields.push(name, String(one));
}

/** Puts name and value pairs on a reply that the gateway makes itself. As on an answer of an instance, what is there already stays. */
export function putFields(reply: FastifyReply, pairs: readonly string[]): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at] ?? '';
    const value = pairs[at + 1] ?? '';
    // Fastify appends these by itself.
    const before = name.toLowerCase() === 'set-cookie' ? undefined : reply.getHeader(name);
    void reply.header(name, before === undefined ? value : [before, value].flat());
  }
}
