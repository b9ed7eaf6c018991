/** Runs inside the browser: what a page needs of the circuit breaker, on the platform's own clock and signals. */
import {
  CircuitBreaker,
  CircuitBreakers,
  failureRate,
  isCircuitOpenError,
  slowCallRate,
} from '@mesh/circuit-breaker';
import { check, pause } from './check.ts';

const fail = (): Promise<never> => Promise.reject(new Error('down'));

export async function circuitBreakerSmoke(): Promise<void> {
  const breaker = new CircuitBreaker({
    name: 'api',
    maximumFailuresAllowed: 2,
    resetTimeoutInMilliseconds: 30,
  });
  const states: string[] = [];
  breaker.on('stateChange', ({ to }) => states.push(to));
  for (let call = 0; call < 2; call++) await breaker.execute(fail).catch(() => undefined);
  const refused: unknown = await breaker.execute(() => 1).catch((error: unknown) => error);
  check('refuses when open', isCircuitOpenError(refused) && refused.retryAfterMs > 0);
  check('answers by a fallback', (await breaker.execute(() => 1, { fallback: () => 2 })) === 2);
  await pause(50);
  check('is half-open when the break is over', breaker.state === 'half-open');
  await breaker.execute(() => 1);
  await breaker.execute(() => 1);
  check('goes through its states', states.join() === 'open,half-open,closed');

  const controller = new AbortController();
  const call = breaker.execute(({ signal }) => fetch('/never', { signal: signal ?? null }), {
    signal: controller.signal,
  });
  controller.abort(new Error('left'));
  const reason: unknown = await call.catch((error: unknown) => error);
  check('rejects with the reason of an abort', reason === controller.signal.reason);
  check('takes an abort for no failure', breaker.getSnapshot().totals.ignored === 1);

  const rate = new CircuitBreaker({ tripWhen: failureRate({ minimumCalls: 4, windowCalls: 10 }) });
  for (let index = 0; index < 4; index++) await rate.execute(index % 2 ? () => 1 : fail).catch(() => 0);
  check('opens at a rate of failures', rate.state === 'open');

  const slow = new CircuitBreaker({ tripWhen: slowCallRate({ slowAfterMs: 10, minimumCalls: 1 }) });
  void slow.execute(() => pause(200));
  await pause(40);
  await slow.execute(() => 1).catch(() => 0);
  check('opens when a call hangs', slow.state === 'open');

  const hosts = new CircuitBreakers({ maximumFailuresAllowed: 1 });
  await hosts.execute('a', fail).catch(() => 0);
  check('keeps keys apart', hosts.get('a').state === 'open' && hosts.get('b').state === 'closed');
}
