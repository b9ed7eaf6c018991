import type { RequestTarget } from './request-target.ts';

/** What a route may look at: a request, without what it would cost to parse it. */
export interface MatchRequest {
  readonly method: string;
  readonly target: RequestTarget;
  /** Flat name and value pairs as Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[];
}

/** The first value of a header field; `name` in lower case. */
export function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const field = rawHeaders[at] ?? '';
    if (field.length === name.length && field.toLowerCase() === name) return rawHeaders[at + 1];
  }
  return undefined;
}

/** Every value of a header field; `name` in lower case. */
export function headersOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const field = rawHeaders[at] ?? '';
    if (field.length === name.length && field.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? '');
  }
  return values;
}

/** Every value of a cookie, as it stands in the field (RFC 6265, 5.4). */
export function cookiesOf(rawHeaders: readonly string[], name: string): string[] {
  return headersOf(rawHeaders, 'cookie')
    .flatMap((field) => field.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
}

/** The name in `Host`: lower case, without port and trailing dot; undefined when there is none. */
export function hostOf(rawHeaders: readonly string[]): string | undefined {
  // HTTP/2 has it in a field of its own.
  return (headerOf(rawHeaders, 'host') ?? headerOf(rawHeaders, ':authority'))
    ?.toLowerCase()
    .replace(/\.?(?::\d*)?$/, '');
}
