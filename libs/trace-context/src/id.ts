declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array };

/** Random bytes are drawn in blocks: a call for each id would cost more than the id. */
const block = new Uint8Array(8192);
let used = block.length;

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The next `count` random bytes in hex. */
function randomHex(count: number): string {
  if (used + count > block.length) {
    crypto.getRandomValues(block);
    used = 0;
  }
  used += count;
  return hexBetween(block, used - count, used);
}

function hexBetween(bytes: Uint8Array, from: number, to: number): string {
  let hex = '';
  let any = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    any |= byte;
    hex += hexOfByte[byte] ?? '';
  }
  return any === 0 ? `${hex.slice(1)}1` : hex;
}

/** The bytes in lower-case hex; all-zero bytes, which W3C trace context forbids as an id, give `...01`. */
export function hexId(bytes: Uint8Array): string {
  return hexBetween(bytes, 0, bytes.length);
}

/** Whether an id consists of zeros alone. */
export function isZero(id: string): boolean {
  return /^0+$/.test(id);
}

/** A new random trace or request id: 16 bytes, 32 lower-case hex digits, never all zero. */
export function newTraceId(): string {
  return randomHex(16);
}

/** A new random span id: 8 bytes, 16 lower-case hex digits, never all zero. */
export function newSpanId(): string {
  return randomHex(8);
}
