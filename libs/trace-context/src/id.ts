const digits = Uint8Array.from('0123456789abcdef', (text) => text.charCodeAt(0));

/** The digit of the four lowest bits. */
const digit = (bits: number): number => digits[bits & 15] ?? 0;

/** 32 bits as eight lower-case hex digits, in one piece: one that is joined from pairs costs its reader the joining. */
export function hexWord(bits: number): string {
  return String.fromCharCode(
    digit(bits >>> 28),
    digit(bits >>> 24),
    digit(bits >>> 20),
    digit(bits >>> 16),
    digit(bits >>> 12),
    digit(bits >>> 8),
    digit(bits >>> 4),
    digit(bits),
  );
}

/** Whether an id consists of zeros alone. */
export function isZero(id: string): boolean {
  return id.startsWith('0') && /^0+$/.test(id);
}

type Random = () => number;

const wordOf = (random: Random): string => hexWord(Math.floor(random() * 0x1_0000_0000));

/** W3C forbids an id of zeros alone. */
const notZero = (id: string, zeros: string): string => (id === zeros ? `${zeros.slice(1)}1` : id);

const traceZeros = '0'.repeat(32);
const spanZeros = '0'.repeat(16);

/**
 * A new trace or request id: 128 random bits in 32 lower-case hex digits, never all zero. Ids must differ, nobody must be kept from guessing them: so
 * they are drawn from `Math.random`, as those of OpenTelemetry are, at a tenth of the price of random bytes fit for keys.
 */
export function newTraceId(random: Random = Math.random): string {
  return notZero(wordOf(random) + wordOf(random) + wordOf(random) + wordOf(random), traceZeros);
}

/** A new span id: 64 random bits in 16 lower-case hex digits, never all zero. */
export function newSpanId(random: Random = Math.random): string {
  return notZero(wordOf(random) + wordOf(random), spanZeros);
}
