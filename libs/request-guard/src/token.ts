/**
 * Whether both texts are equal, in a time that depends on the length of `presented` alone:
 * no early exit tells a guesser how many leading characters were right.
 */
export function isSameText(presented: string, secret: string): boolean {
  let difference = presented.length ^ secret.length;
  for (let at = 0; at < presented.length; at++) {
    difference |= presented.charCodeAt(at) ^ secret.charCodeAt(at % secret.length);
  }
  return difference === 0;
}

/** The token of `Authorization: Bearer <token>` (RFC 6750), undefined when the value is anything else. */
export function bearerToken(authorization: string): string | undefined {
  return /^bearer +([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];
}
