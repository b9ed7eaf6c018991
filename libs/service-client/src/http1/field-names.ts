/** What a field means to whoever frames a message; `invalid` is a name that is none (RFC 9110, 5.6.2). */
export type FieldKind =
  | 'plain'
  | 'invalid'
  | 'connection'
  | 'content-length'
  | 'expect'
  | 'host'
  | 'keep-alive'
  | 'transfer-encoding'
  | 'upgrade';

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const framing: ReadonlySet<string> = new Set<FieldKind>([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** Names, as they come, that are remembered: more than honest traffic has. */
const maxNames = 1_000;
/** A longer name is looked at each time. */
const maxNameLength = 64;
const known = new Map<string, FieldKind>();

/** The kind of a field by its name, in any case; remembered, because looking at every character costs more than all else that is done with it. */
export function fieldKind(name: string): FieldKind {
  const before = known.get(name);
  if (before !== undefined) return before;
  const lower = name.toLowerCase();
  const kind = !token.test(name) ? 'invalid' : framing.has(lower) ? (lower as FieldKind) : 'plain';
  if (known.size >= maxNames) known.clear();
  // Flat, or it would keep the whole head that it was cut from.
  if (name.length <= maxNameLength) known.set(Buffer.from(name, 'latin1').toString('latin1'), kind);
  return kind;
}

const notInValue = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether a field may have this value: no line break, no NUL, nothing beyond latin1 (RFC 9110, 5.5). */
export function isFieldValue(value: string): boolean {
  return !notInValue.test(value);
}
