import { circuitBreakerSmoke } from './circuit-breaker.smoke.ts';
import { seen } from './check.ts';
import { resilienceSmoke } from './resilience.smoke.ts';

const suites = { circuitBreakerSmoke, resilienceSmoke };

/** Runs one suite and answers what was seen. */
export async function run(suite: keyof typeof suites): Promise<readonly string[]> {
  await suites[suite]();
  return seen;
}
