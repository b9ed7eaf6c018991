import type { Refusal } from './errors.ts';

/** How a call of `tryExecute` ended: with a value, with an error, or refused. */
export type CallOutcome<T> =
  | { readonly ok: true; readonly value: T; readonly error?: undefined; readonly refusal?: undefined }
  | { readonly ok: false; readonly error: unknown; readonly refusal?: undefined }
  | { readonly ok: false; readonly refusal: Refusal; readonly error?: undefined };

export const succeeded = <T>(value: T): CallOutcome<T> => ({ ok: true, value });

export const failed = (error: unknown): CallOutcome<never> => ({ ok: false, error });

export const refused = (refusal: Refusal): CallOutcome<never> => ({ ok: false, refusal });
