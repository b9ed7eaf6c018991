import { traceHeaderNames } from '@mesh/trace-context';

/**
 * Fields that belong to one connection and never travel further (RFC 9110, 7.6.1), with the obsolete ones that are
 * still seen. `Alt-Svc` is here because it would tell a client of the gateway to talk to the instance itself.
 */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'alt-svc',
]);

/** Fields that a `Connection: <name>` cannot take away from a later hop (CVE-2026-33805, CVE-2024-45410). */
const protectedNames: ReadonlySet<string> = new Set([
  'host',
  'date',
  'location',
  'authorization',
  'www-authenticate',
  'cookie',
  'set-cookie',
  'origin',
  'cache-control',
  'vary',
  'via',
  'forwarded',
  'idempotency-key',
]);

const protectedPrefixes = ['content-', 'access-control-', 'sec-'] as const;

/** Identity and trace of a request: only the mesh itself writes these. */
const meshOwned: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip', 'x-instance', ...traceHeaderNames]);

const meshOwnedPrefixes = ['x-forwarded-', 'x-mesh-'] as const;

/** Flat name and value pairs as Node's `rawHeaders`: order, case and duplicates are as on the wire. */
export type RawHeaders = readonly string[];

/** Whether a field (lower case) belongs to one connection only. */
export function isHopByHop(name: string): boolean {
  return hopByHop.has(name);
}

/**
 * Whether only the mesh itself may write this field (lower case): who called, through what, under which trace.
 * `_` counts as `-`, because some servers fold the two.
 */
export function isMeshOwned(name: string): boolean {
  const folded = name.includes('_') ? name.replaceAll('_', '-') : name;
  return meshOwned.has(folded) || meshOwnedPrefixes.some((prefix) => folded.startsWith(prefix));
}

/**
 * The fields that travel end to end: without the hop-by-hop ones, those that `Connection` names, and those that
 * `isDropped` (called with the lower-case name) refuses.
 */
export function endToEnd(raw: RawHeaders, isDropped: (name: string) => boolean): string[] {
  const nominated = connectionOptions(valuesOf(raw, 'connection'));
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const folded = name.toLowerCase();
    if (hopByHop.has(folded) || nominated?.has(folded) === true || isDropped(folded)) continue;
    kept.push(name, raw[at + 1] ?? '');
  }
  return kept;
}

/** Every value of a field, in order. */
export function valuesOf(raw: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (raw[at]?.toLowerCase() === name) values.push(raw[at + 1] ?? '');
  }
  return values;
}

/** The names that the values of `Connection` list and that may be taken away; undefined when there are none. */
export function connectionOptions(values: readonly string[]): Set<string> | undefined {
  let options: Set<string> | undefined;
  for (const value of values) {
    if (value === 'keep-alive' || value === 'close') continue;
    for (const option of value.toLowerCase().split(',')) {
      const token = option.trim();
      if (token !== '' && !isProtected(token)) (options ??= new Set()).add(token);
    }
  }
  return options;
}

/** The pairs whose names (in any case) are not among these. */
export function without(raw: RawHeaders, names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (!names.has(name.toLowerCase())) kept.push(name, raw[at + 1] ?? '');
  }
  return kept;
}

/** Whether a field (lower case) is end to end by its nature: neither `Connection` nor a trailer may touch it. */
export function isProtected(name: string): boolean {
  return (
    protectedNames.has(name) ||
    isMeshOwned(name) ||
    protectedPrefixes.some((prefix) => name.startsWith(prefix))
  );
}
