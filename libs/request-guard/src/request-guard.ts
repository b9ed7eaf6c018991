/** Decides whether a control request may pass: Host, Origin and token. */
export function requestGuard(): string {
  return 'request-guard';
}
