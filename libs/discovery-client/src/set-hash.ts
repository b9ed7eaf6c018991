import type { Instance } from './instance.ts';

/** 64 bits, as two halves of 32. */
export interface SetHash {
  readonly high: number;
  readonly low: number;
}

/** The hash of no instances. */
export const emptyHash: SetHash = Object.freeze({ high: 0, low: 0 });

/**
 * 64 bits of what callers see of an instance, for {@link combineHash}: id, host, port, incarnation, status, weight, zone,
 * version and the metadata by key, each after a line feed. Two lanes of FNV-1a over UTF-16 units with different primes, each
 * finished as MurmurHash3 does. Against mistakes, not against malice.
 */
export function instanceHash(instance: Instance): SetHash {
  const { id, host, port, incarnation, status, weight, zone = '', version = '', metadata } = instance;
  let text = `${id}\n${host}\n${port}\n${incarnation}\n${status}\n${weight}\n${zone}\n${version}`;
  for (const key of Object.keys(metadata).sort()) text += `\n${key}\n${metadata[key] ?? ''}`;
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x85ebca6b);
  }
  return { high: finish(high), low: finish(low) };
}

/** Adds an instance to the hash of a set, or takes it out again: the exclusive or, so the order does not matter. */
export function combineHash(set: SetHash, instance: SetHash): SetHash {
  return { high: (set.high ^ instance.high) >>> 0, low: (set.low ^ instance.low) >>> 0 };
}

/** 16 hexadecimal digits, as on the wire. */
export function formatHash({ high, low }: SetHash): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the answer. */
function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
