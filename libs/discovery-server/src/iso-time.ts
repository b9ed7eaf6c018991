let second = NaN;
let textOfSecond = '';

/**
 * A moment, in milliseconds since 1970, as ISO 8601. Most share their second with the one before (leases of one
 * length, heard within it), and that part of the text is made once.
 */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (whole !== second) {
    textOfSecond = new Date(whole * 1000).toISOString().slice(0, -4);
    second = whole;
  }
  const rest = Math.floor(ms - whole * 1000);
  return `${textOfSecond}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`;
}
