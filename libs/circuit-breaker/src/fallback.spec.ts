import { describe, expect, test } from '@jest/globals';
import { isCircuitOpenError } from './errors.ts';
import { boom, fail, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

describe('fallback', () => {
  test('answers failures and refusals, and does not hide them from the circuit', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    const fallback = (error: unknown): string => (isCircuitOpenError(error) ? 'refused' : 'failed');
    await expect(breaker.execute(fail, { fallback })).resolves.toBe('failed');
    await expect(breaker.execute(fail, { fallback })).resolves.toBe('refused');
    await expect(breaker.execute(fail, { fallback: () => Promise.resolve('later') })).resolves.toBe('later');
    expect(breaker.getSnapshot().totals).toEqual({ success: 0, failure: 1, ignored: 0, rejected: 2 });
  });

  test('that throws keeps the primary error as its cause', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 9 });
    const second = new Error('the fallback failed too');
    const run = (thrown: unknown): Promise<unknown> =>
      breaker
        .execute(fail, {
          fallback: () => {
            throw thrown;
          },
        })
        .catch((error: unknown) => error);
    expect(await run(second)).toBe(second);
    expect(second.cause).toBe(boom);
    // Its author's own cause stays.
    const own = new Error('explained', { cause: 'my reason' });
    expect(((await run(own)) as Error).cause).toBe('my reason');
    // Thrown again: no circle.
    expect(await run(boom)).toBe(boom);
    expect(boom.cause).toBeUndefined();
    // Neither a frozen error nor a thrown text loses anything.
    const frozen = Object.freeze(new Error('frozen'));
    expect(await run(frozen)).toMatchObject({ errors: [frozen, boom], message: 'frozen', cause: boom });
    expect(await run('text')).toMatchObject({ errors: ['text', boom], cause: boom });
  });

  test('that throws the cause of a refusal closes no circle of causes', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    await trip(breaker, 1);
    const call = breaker.execute(succeed, {
      fallback: (error) => {
        throw (error as Error).cause;
      },
    });
    await expect(call).rejects.toBe(boom);
    expect(boom.cause).toBeUndefined();
  });
});
