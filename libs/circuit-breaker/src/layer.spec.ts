import { describe, expect, test } from '@jest/globals';
import type { Abortable } from './abortable.ts';
import { boom, deferred, fail, hang, rejectionOf, settled, succeed, throwBoom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { timeoutError } from './testing/signals.ts';
import { brittle, halfOpen, trip, virtual } from './testing/virtual-breaker.ts';
import { slowCallRate } from './window-rule.ts';

trapRejections();

/** A call of a pipeline, aborted by hand. */
class PipelineCall implements Abortable {
  aborted = false;
  reason: unknown;
  readonly listeners = new Set<() => void>();

  onAbort(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.listeners) listener();
  }
}

/** Rules under which a call goes the short way, and the long one. */
const ways = [
  ['the short way', {}],
  ['the long way', { tripWhen: slowCallRate({ slowAfterMs: 1_000, minimumCalls: 1 }) }],
] as const;

describe.each(ways)('layer, %s', (_, options) => {
  test('passes the call on and the answer back', async () => {
    const { breaker } = virtual(options);
    const seen: unknown[] = [];
    const layer = breaker.layer((call: PipelineCall) => {
      seen.push(call);
      return succeed();
    });
    const call = new PipelineCall();
    await expect(layer(call)).resolves.toBe('ok');
    expect(seen).toEqual([call]);
    expect(call.listeners.size).toBe(0);
    expect(breaker.getSnapshot().totals.success).toBe(1);
  });

  test.each([
    ['a rejection', fail],
    ['a synchronous throw', throwBoom],
  ])('takes %s for a failure', async (_kind, next) => {
    const { breaker } = virtual(options);
    expect(await rejectionOf(breaker.layer(next)({}))).toBe(boom);
    expect(breaker.getSnapshot().totals.failure).toBe(1);
  });

  test('an aborted call that rejects is ignored, a timed out one failed', async () => {
    const { breaker } = virtual(options);
    const ignored: unknown[] = [];
    breaker.on('ignored', (event) => ignored.push(event));
    const work = deferred();
    const layer = breaker.layer(() => work.promise);
    const [left, late] = [new PipelineCall(), new PipelineCall()];
    const calls = [rejectionOf(layer(left)), rejectionOf(layer(late))];
    left.abort('gone');
    late.abort(timeoutError());
    work.reject(boom);
    expect(await Promise.all(calls)).toEqual([boom, boom]);
    expect(breaker.getSnapshot().totals).toEqual({ success: 0, failure: 1, ignored: 1, rejected: 0 });
    expect(ignored).toHaveLength(1);
    expect(left.listeners.size + late.listeners.size).toBe(0);
  });
});

describe('layer, as a trial', () => {
  test('an abort gives the place back at once, though the work goes on', async () => {
    const { breaker } = await halfOpen();
    const call = new PipelineCall();
    void breaker.layer(hang)(call);
    expect(breaker.available).toBe(false);
    call.abort('gone');
    expect([breaker.state, breaker.available]).toEqual(['half-open', true]);
  });

  test('a timeout is a failure at once', async () => {
    const { breaker } = await halfOpen();
    const call = new PipelineCall();
    void breaker.layer(hang)(call);
    const error = timeoutError();
    call.abort(error);
    expect(breaker.state).toBe('open');
    expect(await rejectionOf(breaker.layer(succeed)({}))).toMatchObject({ cause: error });
  });

  test('a synchronous throw gives the place back', async () => {
    const { breaker } = await halfOpen({ trials: 2 });
    expect(await rejectionOf(breaker.layer(throwBoom)({}))).toBe(boom);
    await expect(breaker.layer(succeed)({})).resolves.toBe('ok');
    expect(breaker.state).toBe('closed');
  });

  test('an aborted call that rejects without telling is ignored all the same', async () => {
    const { breaker } = await halfOpen();
    const ignored: unknown[] = [];
    breaker.on('ignored', (event) => ignored.push(event));
    const work = deferred();
    const call = { aborted: false, reason: 'gone' };
    const answer = rejectionOf(breaker.layer(() => work.promise)(call));
    call.aborted = true;
    work.reject(boom);
    expect(await answer).toBe(boom);
    expect(ignored).toHaveLength(1);
    expect([breaker.state, breaker.available]).toEqual(['half-open', true]);
  });

  test('a call that is aborted already is not made', async () => {
    const { breaker } = await halfOpen();
    const call = new PipelineCall();
    call.abort('gone');
    const next = (): Promise<never> => Promise.reject(new Error('called'));
    expect(await rejectionOf(breaker.layer(next)(call))).toBe('gone');
    expect(breaker.available).toBe(true);
  });

  test('leaves no listener, however it ends', async () => {
    const { breaker } = await halfOpen({ trials: 3, successThreshold: 2 });
    for (const next of [succeed, fail, succeed]) {
      const call = new PipelineCall();
      await breaker
        .layer((): Promise<string> => next())(call)
        .catch(() => undefined);
      expect(call.listeners.size).toBe(0);
    }
    expect(breaker.state).toBe('closed');
  });
});

test('a refused layer rejects with the refusal, and calls nothing', async () => {
  const { breaker } = virtual(brittle);
  await trip(breaker, 1);
  const seen: unknown[] = [];
  const layer = breaker.layer((call: object) => Promise.resolve(seen.push(call)));
  expect(await rejectionOf(layer({}))).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', reason: 'open' });
  expect(seen).toEqual([]);
});

test('a call that waits in a layer is let go at once when it is aborted', async () => {
  const { breaker } = await halfOpen({ maximumWaiting: 1 });
  const trial = breaker.tryAcquire();
  const call = new PipelineCall();
  const answer = rejectionOf(breaker.layer(succeed)(call));
  await settled();
  call.abort('gone');
  expect(await answer).toBe('gone');
  expect(call.listeners.size).toBe(0);
  trial?.settle('success');
  expect(breaker.getSnapshot().totals.success).toBe(1);
});
