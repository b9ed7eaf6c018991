import { HttpProblem } from '@mesh/problem';
import type { Passage, Refusal } from '../passage.ts';

/** What a protected route answers to whom it does not let in. One for each route, made once. */
export interface Challenges {
  /** 401: nothing was shown. */
  missing(passage: Passage): Refusal;
  /** 401: what was shown is not valid. Why it is not, nobody is told. */
  invalid(passage: Passage): Refusal;
  /** 400: more than one credential was shown (RFC 6750, 3.1). */
  ambiguous(passage: Passage): Refusal;
  /** 403: valid, but not for this. */
  insufficient(passage: Passage): Refusal;
}

const words = {
  missing: 'This route needs a credential.',
  invalid: 'The credential is not valid.',
  ambiguous: 'A credential must be given once.',
  insufficient: 'The credential does not have the scope that this route needs.',
} as const;

/** The `WWW-Authenticate` of a route (RFC 9110, 11.6.1; RFC 6750, 3) with the problems that go with it. */
export function challenges(
  realm: string,
  by: readonly ('jwt' | 'api-key')[],
  scopes: readonly string[],
): Challenges {
  const challenge = (error: string): string =>
    by
      .map((method) => (method === 'jwt' ? `Bearer realm="${realm}"${error}` : `ApiKey realm="${realm}"`))
      .join(', ');
  const refusing = (kind: keyof typeof words, code: string, error: string) => {
    const header = challenge(error);
    return (passage: Passage): Refusal => {
      passage.answerHeaders.push('www-authenticate', header);
      return new HttpProblem(code, words[kind]);
    };
  };
  return {
    missing: refusing('missing', 'ERR_UNAUTHORIZED', ''),
    invalid: refusing('invalid', 'ERR_UNAUTHORIZED', ', error="invalid_token"'),
    ambiguous: refusing('ambiguous', 'ERR_BAD_REQUEST', ', error="invalid_request"'),
    insufficient: refusing(
      'insufficient',
      'ERR_FORBIDDEN',
      `, error="insufficient_scope", scope="${scopes.join(' ')}"`,
    ),
  };
}

/** 503: the keys that a token would be checked with cannot be had. The caller did nothing wrong. */
export function unavailable(): Refusal {
  return new HttpProblem('ERR_UNAVAILABLE', 'Credentials cannot be checked at the moment.', {
    retryAfterMs: 1_000,
  });
}
