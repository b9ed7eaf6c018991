declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array };

/** Two digits for each byte; writing a number in hex costs ten times as much. */
const digits: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => (byte < 16 ? '0' : '') + byte.toString(16),
);

/** Random bytes are drawn in blocks: a call for each id would cost more than the id. */
const block = new Uint8Array(2048);
let used = block.length;

function randomBytes(count: number): Uint8Array {
  if (used + count > block.length) {
    crypto.getRandomValues(block);
    used = 0;
  }
  used += count;
  return block.subarray(used - count, used);
}

/** The bytes in lower-case hex; all-zero bytes, which W3C trace context forbids as an id, give `...01`. */
export function hexId(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += digits[byte] ?? '';
  return isZero(hex) ? `${hex.slice(1)}1` : hex;
}

/** Whether an id consists of zeros alone. */
export function isZero(id: string): boolean {
  return id.startsWith('0') && /^0+$/.test(id);
}

/** A new random trace or request id: 16 bytes, 32 lower-case hex digits, never all zero. */
export function newTraceId(): string {
  return hexId(randomBytes(16));
}

/** A new random span id: 8 bytes, 16 lower-case hex digits, never all zero. */
export function newSpanId(): string {
  return hexId(randomBytes(8));
}
