import { describe, expect, test } from '@jest/globals';
import { isCircuitOpenError } from './errors.ts';
import { boom, fail, rejectionOf, succeed } from './testing/calls.ts';
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

  test('the cause that it is given is an ordinary one, as Error itself makes it', async () => {
    const { breaker } = virtual();
    const thrown = new Error('second');
    const call = breaker.execute(fail, {
      fallback: () => {
        throw thrown;
      },
    });
    expect(await rejectionOf(call)).toBe(thrown);
    expect(Object.getOwnPropertyDescriptor(thrown, 'cause')).toEqual(
      Object.getOwnPropertyDescriptor(new Error('first', { cause: boom }), 'cause'),
    );
  });

  test('what is no error is told with the primary one', async () => {
    const { breaker } = virtual();
    const fallback = (): never => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- what code in JavaScript may do
      throw 'text';
    };
    expect(await rejectionOf(breaker.execute(fail, { fallback }))).toEqual(
      new AggregateError(['text', boom], 'the fallback failed', { cause: boom }),
    );
  });

  test('a circle of causes is followed only so far', async () => {
    const { breaker } = virtual();
    const circular = new Error('circular');
    circular.cause = circular;
    const second = new Error('second');
    const call = breaker.execute(() => Promise.reject(circular), {
      fallback: () => {
        throw second;
      },
    });
    expect(await rejectionOf(call)).toBe(second);
    expect(second.cause).toBe(circular);
  });
});
