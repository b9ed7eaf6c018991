/** From a probe to an acknowledged alert: active checks, availability and latency in fixed memory, alert rules with states, trend and anomaly. */
export function healthMonitor(): string {
  return 'health-monitor';
}
