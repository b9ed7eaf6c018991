/** What every service shares: configuration, logs, health, registration, problem JSON and a graceful end. */
export function serviceKit(): string {
  return 'service-kit';
}
