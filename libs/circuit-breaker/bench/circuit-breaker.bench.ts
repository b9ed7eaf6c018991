/** What a circuit breaker adds to a call; every figure is a ratio to a bare `await fn()` of the same run. */
import { contest } from '../../../tools/contest.mts';
import { CircuitBreaker } from '../src/index.ts';

const boom = new Error('boom');
// The cheapest functions that return a promise, so that no ratio is flattered.
const succeed = (): Promise<number> => Promise.resolve(1);
const fail = (): Promise<number> => Promise.reject(boom);
const swallow = (): void => undefined;

const closed = new CircuitBreaker();
// Never opens, so that each failure goes the whole way through the window.
const failing = new CircuitBreaker({ maximumFailuresAllowed: Number.MAX_SAFE_INTEGER });
const open = new CircuitBreaker({ maximumFailuresAllowed: 1, resetTimeoutInMilliseconds: 1e9 });
await open.execute(fail).catch(swallow);
const heard = new CircuitBreaker();
let events = 0;
heard.on('success', () => events++);
const { signal } = new AbortController();

await contest(
  'circuit-breaker: one call, ratios to a bare `await fn()`',
  [
    {
      name: 'bare success',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) await succeed();
      },
    },
    {
      name: 'closed success',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) await closed.execute(succeed);
      },
    },
    {
      name: 'closed success with a listener',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) await heard.execute(succeed);
      },
    },
    {
      name: 'closed success with a signal',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) await closed.execute(succeed, { signal });
      },
    },
    {
      name: 'bare failure',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) await fail().catch(swallow);
      },
    },
    {
      name: 'closed failure',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) await failing.execute(fail).catch(swallow);
      },
    },
    {
      name: 'open rejection, thrown',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) {
          try {
            await open.execute(succeed);
          } catch {
            // The refusal is what is measured.
          }
        }
      },
    },
    {
      name: 'open refusal by tryAcquire',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) open.tryAcquire();
      },
    },
    {
      name: 'tryAcquire and settle, closed',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) closed.tryAcquire()?.settle('success');
      },
    },
  ],
  [
    { of: 'closed success', against: 'bare success', atMost: 4 },
    { of: 'closed failure', against: 'bare failure', atMost: 4 },
    { of: 'open rejection, thrown', against: 'bare success', atMost: 30 },
    { of: 'tryAcquire and settle, closed', against: 'bare success', atMost: 2 },
  ],
);
