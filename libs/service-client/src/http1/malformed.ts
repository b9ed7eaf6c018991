import { errors } from 'undici';

/** An answer that cannot be believed: whatever follows on its connection is no answer either. */
export function malformed(what: string): Error {
  return new errors.HTTPParserError(`malformed answer: ${what}`);
}
