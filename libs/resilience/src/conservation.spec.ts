import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { circuitBreaker } from '@mesh/circuit-breaker';
import { bulkhead } from './bulkhead.ts';
import type { CallContext, CallResult } from './call.ts';
import { fallback } from './fallback.ts';
import { hedge } from './hedge.ts';
import { pipeline } from './pipeline.ts';
import type { Policy } from './policy.ts';
import { retry } from './retry.ts';
import { VirtualTime } from './test-kit/virtual-time.ts';
import { caller } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { timeLimiter } from './time-limiter.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

/** Something that has to be given back, and counts how often it was. */
class Resource {
  readonly good: boolean;
  disposed = 0;

  constructor(good: boolean) {
    this.good = good;
  }

  [Symbol.dispose](): void {
    this.disposed++;
  }
}

const handle = (result: CallResult): boolean =>
  !result.ok || (result.value instanceof Resource && !result.value.good);

const layers = {
  retry: (time: VirtualTime) =>
    retry({ clock: time, timers: time, maxAttempts: 3, handle, backoff: { baseMs: 20, jitter: 'none' } }),
  race: (time: VirtualTime) => timeLimiter({ clock: time, timers: time, timeoutMs: 50 }),
  total: (time: VirtualTime) => timeLimiter({ clock: time, timers: time, timeoutMs: 120 }),
  cooperative: (time: VirtualTime) =>
    timeLimiter({ clock: time, timers: time, timeoutMs: 70, mode: 'cooperative' }),
  own: (time: VirtualTime) => timeLimiter({ clock: time, timers: time, timeoutMs: () => 60 }),
  hedge: (time: VirtualTime) => hedge({ clock: time, timers: time, delayMs: 15, maxExtra: 2, handle }),
  fallback: () => fallback('none', { handle }),
  breaker: (time: VirtualTime) => circuitBreaker({ clock: time, maximumFailuresAllowed: 100 }),
  bulkhead: (time: VirtualTime) => bulkhead({ clock: time, timers: time, maxConcurrent: 2, maxQueue: 10 }),
} satisfies Record<string, (time: VirtualTime) => Policy<string>>;

const behaviour = fc.record({
  takes: fc.integer({ min: 0, max: 200 }),
  ends: fc.constantFrom('good' as const, 'bad' as const, 'error' as const),
  /** Whether it ends at once when its signal aborts. */
  obeys: fc.boolean(),
});

const scenario = fc.record({
  order: fc.uniqueArray(fc.constantFrom(...(Object.keys(layers) as (keyof typeof layers)[])), {
    maxLength: 6,
  }),
  behaviours: fc.array(behaviour, { minLength: 1, maxLength: 8 }),
  abortsAt: fc.option(fc.integer({ min: 0, max: 300 })),
  calls: fc.integer({ min: 1, max: 3 }),
});

test('in any pipeline every result is delivered or disposed of, once; no timer and no listener stays', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ order, behaviours, abortsAt, calls }) => {
      const time = new VirtualTime();
      const resources: Resource[] = [];
      let attempts = 0;
      const fn = ({ signal }: CallContext): Promise<Resource> => {
        const { takes, ends, obeys } = behaviours[attempts++ % behaviours.length]!;
        return new Promise((resolve, reject) => {
          const stop = (): void => {
            signal.removeEventListener('abort', stop);
            time.clear(timer);
            // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
            reject(signal.reason);
          };
          const timer = time.set(() => {
            signal.removeEventListener('abort', stop);
            if (ends === 'error') reject(new Error('boom'));
            else {
              const resource = new Resource(ends === 'good');
              resources.push(resource);
              resolve(resource);
            }
          }, takes);
          if (!obeys) return;
          if (signal.aborted) stop();
          else signal.addEventListener('abort', stop);
        });
      };
      const policy = pipeline(...order.map((name): Policy<string> => layers[name](time)));
      const user = caller();
      const delivered: unknown[] = [];
      let settled = 0;
      for (let call = 0; call < calls; call++) {
        void policy.tryExecute(fn, abortsAt === null ? {} : user).then((outcome) => {
          settled++;
          if (outcome.ok) delivered.push(outcome.value);
          // An abort is the end at that moment, with its reason.
          if (abortsAt !== null && time.now() > abortsAt) throw new Error('settled after the abort');
        });
      }
      if (abortsAt !== null) {
        time.set(() => {
          user.abort('enough');
        }, abortsAt);
      }
      await time.advance(5000);
      expect(settled).toBe(calls);
      for (const resource of resources) {
        expect(resource.disposed).toBe(delivered.includes(resource) ? 0 : 1);
      }
      expect([time.pending, user.listeners]).toEqual([0, 0]);
    }),
    { numRuns: 300 },
  );
}, 60_000);
