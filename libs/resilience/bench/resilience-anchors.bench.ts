/**
 * What the comparison table of the README says, tried on the anchors themselves: each story is told twice, and must end badly with the
 * anchor that is named, and well here. It fails when an anchor has been repaired, so that the table stays true.
 */
import { circuitBreaker, isCircuitOpenError } from '@mesh/circuit-breaker';
import * as cockatiel from 'cockatiel';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { fallback, isTimeoutError, pipeline, retry, timeLimiter } from '../src/index.ts';

type Fire = (...args: unknown[]) => Promise<unknown>;
/** opossum ships no types. */
const Opossum = createRequire(import.meta.url)('opossum') as new (
  action: (...args: never[]) => unknown,
  options: object,
) => { fire: Fire; fallback(answer: () => unknown): void; shutdown(): void };

const { handleAll } = cockatiel;
const boom = new Error('boom');
const fail = (): never => {
  throw boom;
};
const errorOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Works until its signal aborts; longer than any story. */
const hang = ({ signal }: { readonly signal: AbortSignal }): Promise<unknown> =>
  sleep(2000, undefined, { signal, ref: false });

interface Story {
  readonly says: string;
  readonly anchor: string;
  /** Whether it ends well. */
  readonly theirs: () => Promise<boolean>;
  readonly ours: () => Promise<boolean>;
}

/** A caller that gives up after 30 ms, while the back-off takes 300: whether it is let go early, with its reason, and nothing is called again. */
async function abortsSleep(
  run: (work: () => never, signal: AbortSignal) => Promise<unknown>,
): Promise<boolean> {
  let calls = 0;
  const user = new AbortController();
  const startedAt = performance.now();
  const answer = errorOf(
    run(() => {
      calls++;
      return fail();
    }, user.signal),
  );
  await sleep(30);
  user.abort(boom);
  const error = await answer;
  const early = performance.now() - startedAt < 200;
  await sleep(400);
  return early && error === boom && calls === 1;
}

const stories: readonly Story[] = [
  {
    says: 'an abort wakes the sleep between two attempts (B16)',
    anchor: 'cockatiel',
    theirs: () => {
      const policy = cockatiel.retry(handleAll, {
        maxAttempts: 2,
        backoff: new cockatiel.ConstantBackoff(300),
      });
      return abortsSleep((work, signal) => policy.execute(work, signal));
    },
    ours: () => {
      const policy = retry({ backoff: { growth: 'constant', baseMs: 300, jitter: 'none' } });
      return abortsSleep((work, signal) => policy.execute(work, { signal }));
    },
  },
  {
    says: "a caller's abort is no failure of the circuit (B17)",
    anchor: 'cockatiel',
    theirs: async () => {
      const policy = cockatiel.circuitBreaker(handleAll, {
        halfOpenAfter: 1000,
        breaker: new cockatiel.ConsecutiveBreaker(1),
      });
      const user = new AbortController();
      const answer = errorOf(policy.execute(hang, user.signal));
      user.abort(boom);
      await answer;
      return policy.state === cockatiel.CircuitState.Closed;
    },
    ours: async () => {
      const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
      const user = new AbortController();
      const answer = errorOf(pipeline(retry(), breaker).execute(hang, user));
      user.abort(boom);
      return (await answer) === boom && breaker.state === 'closed';
    },
  },
  {
    says: 'a listener that throws does not turn a success into a failure (B18)',
    anchor: 'cockatiel',
    theirs: async () => {
      const policy = cockatiel.circuitBreaker(handleAll, {
        halfOpenAfter: 1000,
        breaker: new cockatiel.ConsecutiveBreaker(1),
      });
      policy.onSuccess(fail);
      return (await errorOf(policy.execute(() => 1))) === undefined;
    },
    ours: async () => {
      const policy = retry({ backoff: { baseMs: 0 } });
      policy.on('retry', fail);
      let calls = 0;
      return (await errorOf(policy.execute(() => (calls++ === 0 ? fail() : 1)))) === undefined;
    },
  },
  {
    says: 'a success does not abort the signal, so that its body can be read (cockatiel#72)',
    anchor: 'cockatiel',
    theirs: async () => {
      const policy = cockatiel.timeout(1000, cockatiel.TimeoutStrategy.Aggressive);
      const signal = await policy.execute(({ signal: own }) => own);
      return !signal.aborted;
    },
    ours: async () => !(await timeLimiter({ timeoutMs: 1000 }).execute(({ signal }) => signal)).aborted,
  },
  {
    says: 'a timeout and an abort by the caller can be told apart',
    anchor: 'cockatiel',
    theirs: async () => {
      const policy = cockatiel.timeout(20, cockatiel.TimeoutStrategy.Aggressive);
      const user = new AbortController();
      const [timeout, abort] = [
        errorOf(policy.execute(() => sleep(100))),
        errorOf(policy.execute(() => sleep(100), user.signal)),
      ];
      user.abort(boom);
      return String(await timeout) !== String(await abort) || (await abort) === boom;
    },
    ours: async () => {
      const policy = timeLimiter({ timeoutMs: 20 });
      const user = new AbortController();
      const [timeout, abort] = [errorOf(policy.execute(hang)), errorOf(policy.execute(hang, user))];
      user.abort(boom);
      return isTimeoutError(await timeout) && (await abort) === boom;
    },
  },
  {
    says: 'an open circuit is not asked again before its break is over (cockatiel#107)',
    anchor: 'cockatiel',
    theirs: async () => {
      const breaker = cockatiel.circuitBreaker(handleAll, {
        halfOpenAfter: 30_000,
        breaker: new cockatiel.ConsecutiveBreaker(1),
      });
      await errorOf(breaker.execute(fail));
      const again = cockatiel.retry(handleAll, {
        maxAttempts: 3,
        backoff: new cockatiel.ConstantBackoff(1),
      });
      let retries = 0;
      again.onRetry(() => retries++);
      await errorOf(cockatiel.wrap(again, breaker).execute(() => 1));
      return retries === 0;
    },
    ours: async () => {
      const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
      await errorOf(breaker.execute(fail));
      const again = retry({ backoff: { baseMs: 1 } });
      let retries = 0;
      again.on('retry', () => retries++);
      const error = await errorOf(pipeline(again, breaker).execute(() => 1));
      return isCircuitOpenError(error) && retries === 0;
    },
  },
  {
    says: 'one timeout aborts one call (B6)',
    anchor: 'opossum',
    theirs: async () => {
      const abortController = new AbortController();
      const breaker = new Opossum((ms: never) => sleep(ms), { timeout: 50, abortController });
      const slow = errorOf(breaker.fire(200));
      await sleep(30);
      const quick = errorOf(breaker.fire(40));
      await slow;
      const cut = abortController.signal.aborted;
      await quick;
      breaker.shutdown();
      return !cut;
    },
    ours: async () => {
      const policy = timeLimiter({ timeoutMs: 50 });
      const slow = errorOf(policy.execute(hang));
      await sleep(30);
      let own: AbortSignal | undefined;
      const quick = errorOf(
        policy.execute(({ signal }) => {
          own = signal;
          return sleep(40);
        }),
      );
      await slow;
      const cut = own?.aborted;
      await quick;
      return cut === false;
    },
  },
  {
    says: 'a function may return undefined (B2)',
    anchor: 'opossum',
    theirs: async () => {
      const breaker = new Opossum(() => undefined, {});
      const error = await errorOf(breaker.fire());
      breaker.shutdown();
      return error === undefined;
    },
    ours: async () => (await errorOf(retry().execute(() => undefined))) === undefined,
  },
  {
    says: 'a fallback that throws keeps the primary error',
    anchor: 'opossum',
    theirs: async () => {
      const breaker = new Opossum(() => Promise.reject(boom), {});
      breaker.fallback(() => {
        throw new Error('fallback');
      });
      const error = await errorOf(breaker.fire());
      breaker.shutdown();
      return (error as Error).cause === boom;
    },
    ours: async () => {
      const policy = fallback(() => {
        throw new Error('fallback');
      });
      return ((await errorOf(policy.execute(fail))) as Error).cause === boom;
    },
  },
];

console.log('\nresilience: stories that end badly elsewhere');
for (const { says, anchor, theirs, ours } of stories) {
  const [there, here] = [await theirs(), await ours()];
  const verdict = !here ? 'BROKEN HERE' : there ? `REPAIRED in ${anchor}` : `broken in ${anchor}`;
  console.log(`  ${verdict.padEnd(22)} ${says}`);
  if (!here || there) process.exitCode = 1;
}
