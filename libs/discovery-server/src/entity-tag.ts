/** A weak entity tag (RFC 9110, 8.8.3): `lastHeartbeat` may differ under the same tag, where to call does not. */
export function entityTag(revision: string): string {
  return `W/"${revision}"`;
}

/** Whether `If-None-Match` (RFC 9110, 13.1.2) names this tag, by weak comparison. */
export function matchesTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const opaque = tag.replace(/^W\//, '');
  return ifNoneMatch
    .split(',')
    .map((one) => one.trim())
    .some((one) => one === '*' || one.replace(/^W\//, '') === opaque);
}
