import { answerRule } from './header-rules.ts';
import { connectionOptions, isHopByHop, isProtected, without } from './hop-headers.ts';
import type { ParsedHeaders } from './proxy-client.ts';

/**
 * The end-to-end fields of an instance's answer, order, case and duplicates as they came; `Trailer` stays where the body is chunked. `instance`
 * names who answered when the answer does not say it itself.
 */
export function answerFields(raw: readonly string[], instance: string | undefined): string[] {
  let fields: string[] = [];
  let connection: string[] | undefined;
  let isNamed = instance === undefined;
  let isChunked = false;
  let hasTrailer = false;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    const rule = answerRule(name);
    if (rule === 'keep') fields.push(name, value);
    else if (rule === 'connection') (connection ??= []).push(value);
    else if (rule === 'encoding') isChunked = true;
    else if (rule !== 'drop') {
      fields.push(name, value);
      if (rule === 'instance') isNamed = true;
      else hasTrailer = true;
    }
  }
  const nominated = connection && connectionOptions(connection);
  if (nominated !== undefined) fields = without(fields, nominated);
  if (hasTrailer && !isChunked) fields = without(fields, trailerOnly);
  if (!isNamed && instance !== undefined) fields.push('x-instance', instance);
  return fields;
}

/** The field that announces trailers. */
export const trailerOnly: ReadonlySet<string> = new Set(['trailer']);

/** The trailer fields that may travel: none that frames, routes or guards a message (RFC 9110, 6.5.1). */
export function trailerFields(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    if (!isHopByHop(name) && !isProtected(name)) fields.push(raw[at] ?? '', raw[at + 1] ?? '');
  }
  return fields;
}

/** Raw fields as latin1 text, which is how Node writes them again: byte for byte. Our own client gives text, undici's bytes. */
export function rawPairs(raw: unknown, parsed: ParsedHeaders): string[] {
  if (!Array.isArray(raw)) return parsedPairs(parsed);
  if (typeof raw[0] === 'string') return raw as string[];
  return (raw as Buffer[]).map((piece) => piece.toString('latin1'));
}

function parsedPairs(parsed: ParsedHeaders): string[] {
  return Object.entries(parsed).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((one) => [name, one]),
  );
}
