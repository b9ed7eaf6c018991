import type { RemoveReason } from './change-log.ts';
import type { StoredOverride } from './overrides.ts';
import type { StoredInstance } from './stored-instance.ts';

/** What servers that share a store tell each other. */
export type StoreMessage = { readonly from?: string } & (
  | { readonly type: 'put'; readonly stored: StoredInstance }
  | { readonly type: 'remove'; readonly service: string; readonly id: string; readonly reason: RemoveReason }
  | { readonly type: 'override'; readonly override: StoredOverride }
  | { readonly type: 'beats'; readonly beats: readonly (readonly [string, string, string])[] }
);

/**
 * Reads a message; undefined for what is none, because others may write there, too. What is in it was checked by the
 * server that a request came to.
 */
export function readMessage(text: string): StoreMessage | undefined {
  const message = parse(text);
  switch (message?.['type']) {
    case 'put': {
      const instance = objectOf(objectOf(message['stored'])?.['instance']);
      const isInstance = areTexts(
        instance?.['name'],
        instance?.['id'],
        instance?.['host'],
        instance?.['incarnation'],
      );
      const isWhole =
        isInstance && typeof instance?.['port'] === 'number' && objectOf(instance['metadata']) !== undefined;
      return isWhole ? (message as unknown as StoreMessage) : undefined;
    }
    case 'remove':
      return areTexts(message['service'], message['id'], message['reason'])
        ? (message as unknown as StoreMessage)
        : undefined;
    case 'override': {
      const override = objectOf(message['override']);
      return areTexts(override?.['service'], override?.['id'])
        ? (message as unknown as StoreMessage)
        : undefined;
    }
    case 'beats': {
      const { beats } = message as { beats?: unknown };
      const isBeat = (beat: unknown): boolean =>
        Array.isArray(beat) && areTexts(...(beat as unknown[]).slice(0, 3));
      const areBeats = Array.isArray(beats) && beats.every(isBeat);
      return areBeats ? (message as unknown as StoreMessage) : undefined;
    }
    default:
      return undefined;
  }
}

type Json = Readonly<Record<string, unknown>>;

function parse(text: string): Json | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null ? (value as Json) : undefined;
}

function areTexts(...values: readonly unknown[]): boolean {
  return values.length > 0 && values.every((value) => typeof value === 'string' && value !== '');
}
