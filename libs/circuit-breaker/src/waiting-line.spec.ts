import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { CircuitState } from './snapshot.ts';
import { boom, deferred, settled, type Deferred } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { newController, type Controller } from './testing/signals.ts';
import { brittle, halfOpen } from './testing/virtual-breaker.ts';

trapRejections();

type Standing = 'waits' | 'runs' | 'refused' | 'aborted' | 'ended';

/** The line once more: calls in the order in which they came, each with its standing. */
class NaiveLine {
  readonly calls: { standing: Standing; epoch: number }[] = [];
  readonly #most: number;
  state: CircuitState = 'half-open';
  #epoch = 0;

  constructor(most: number) {
    this.#most = most;
  }

  arrive(): void {
    const full = this.calls.filter(({ standing }) => standing === 'waits').length >= this.#most;
    const standing = this.#admits ? 'runs' : this.state === 'half-open' && !full ? 'waits' : 'refused';
    this.calls.push({ standing, epoch: this.#epoch });
  }

  end(index: number, good: boolean): void {
    const call = this.calls[index];
    if (call?.standing !== 'runs') return;
    call.standing = 'ended';
    if (call.epoch !== this.#epoch) return;
    if (!good) this.#enter('open');
    else if (this.state === 'half-open') this.#enter('closed');
  }

  abort(index: number): void {
    const call = this.calls[index];
    if (call === undefined || !['waits', 'runs'].includes(call.standing)) return;
    call.standing = 'aborted';
    this.#serve();
  }

  pass(): void {
    if (this.state === 'open') this.#enter('half-open');
  }

  get #admits(): boolean {
    const trying = this.calls.some(({ standing, epoch }) => standing === 'runs' && epoch === this.#epoch);
    return this.state === 'closed' || (this.state === 'half-open' && !trying);
  }

  #enter(state: CircuitState): void {
    this.state = state;
    this.#epoch++;
    this.#serve();
  }

  #serve(): void {
    for (const call of this.calls.filter(({ standing }) => standing === 'waits')) {
      if (this.#admits) Object.assign(call, { standing: 'runs', epoch: this.#epoch });
      else if (this.state === 'open') call.standing = 'refused';
    }
  }
}

/** A call of the breaker, and how it stands. */
class LineCall {
  standing: Standing = 'waits';
  readonly #work: Deferred<string> = deferred();
  readonly #controller: Controller = newController();

  constructor(breaker: CircuitBreaker) {
    const run = (): Promise<string> => {
      this.standing = 'runs';
      return this.#work.promise;
    };
    breaker.execute(run, { signal: this.#controller.signal }).then(
      () => (this.standing = 'ended'),
      (error: unknown) => {
        this.standing = error === boom ? 'ended' : error === 'gone' ? 'aborted' : 'refused';
      },
    );
  }

  end(good: boolean): void {
    if (this.standing !== 'runs') return;
    if (good) this.#work.resolve('ok');
    else this.#work.reject(boom);
  }

  abort(): void {
    this.#controller.abort('gone');
  }
}

test('goal 18: whoever comes, goes and ends in whatever order: the line is the naive one, first come, first served', async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant({ do: 'arrive' as const }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(9), good: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.constant({ do: 'pass' as const }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.array(step, { maxLength: 25 }), async (maximumWaiting, script) => {
      const { breaker, pass } = await halfOpen({ ...brittle, maximumWaiting, probeLeaseMs: 1e6 });
      const naive = new NaiveLine(maximumWaiting);
      const calls: LineCall[] = [];
      for (const next of script) {
        if (next.do === 'arrive') {
          calls.push(new LineCall(breaker));
          naive.arrive();
        } else if (next.do === 'pass') {
          pass(breaker.retryAfterMs);
          naive.pass();
        } else {
          const index = next.which % Math.max(1, calls.length);
          if (next.do === 'end') calls[index]?.end(next.good);
          else calls[index]?.abort();
          if (next.do === 'end') naive.end(index, next.good);
          else naive.abort(index);
        }
        await settled();
        expect(calls.map(({ standing }) => standing)).toEqual(naive.calls.map(({ standing }) => standing));
        expect(breaker.state).toBe(naive.state);
      }
      for (const call of calls) call.abort();
      await settled();
    }),
    { numRuns: 150 },
  );
});
