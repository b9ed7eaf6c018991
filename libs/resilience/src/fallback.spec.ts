import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fallback } from './fallback.ts';
import { pipeline } from './pipeline.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { settle } from './test-kit/virtual-time.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

const boom = new Error('boom');
const fail = (): Promise<number> => Promise.reject(boom);

describe('fallback', () => {
  test('answers by a value or a function, and only where the call failed', async () => {
    expect(await fallback('none').execute(fail)).toBe('none');
    expect(await fallback((error) => [error]).execute(fail)).toEqual([boom]);
    expect(await fallback('none').execute(() => 1)).toBe(1);
    expect(await fallback(undefined).execute(fail)).toBe(undefined);
  });

  test('a chain is asked from the innermost on', async () => {
    const log: unknown[] = [];
    const chain = pipeline(
      fallback((error) => {
        log.push(error);
        return 'last';
      }),
      fallback((): string => {
        throw new Error('cache is empty');
      }),
    );
    expect(await chain.execute(fail)).toBe('last');
    expect(log).toMatchObject([{ message: 'cache is empty', cause: boom }]);
  });

  // opossum 10 loses the primary error when the fallback throws.
  test('its own error keeps the primary one as the cause, unless it has one or would close a circle', async () => {
    const thrown = async (error: unknown): Promise<unknown> => {
      const outcome = await fallback(() => {
        throw error;
      }).tryExecute(fail);
      return (outcome as { error: unknown }).error;
    };
    const plain = new Error('plain');
    expect(await thrown(plain)).toBe(plain);
    expect(plain.cause).toBe(boom);
    const own = new Error('own', { cause: 1 });
    expect([await thrown(own), own.cause]).toEqual([own, 1]);
    expect(await thrown(boom)).toBe(boom);
    const frozen = Object.freeze(new Error('frozen'));
    expect(await thrown(frozen)).toMatchObject({ errors: [frozen, boom], cause: boom });
    expect(await thrown('text')).toMatchObject({ errors: ['text', boom], cause: boom });
    const inner = new Error('inner');
    const outcome = await fallback(() => {
      throw inner;
    }).tryExecute(() => Promise.reject(new Error('outer', { cause: inner })));
    expect([outcome, inner.cause]).toEqual([{ ok: false, error: inner }, undefined]);
  });

  test('a caller that gives up gets no fallback', async () => {
    let asked = 0;
    const user = caller();
    const late = pending();
    const answer = fallback(() => ++asked, { handle: () => true }).tryExecute(() => late.promise, user);
    user.abort('enough');
    late.reject(boom);
    expect(await answer).toEqual({ ok: false, error: 'enough' });
    await settle();
    expect(asked).toBe(0);
  });

  test('handle chooses what is replaced: errors and values, which are disposed of', async () => {
    const disposed: number[] = [];
    const answer = (status: number) => ({ status, [Symbol.dispose]: () => disposed.push(status) });
    const policy = fallback((_, { result, attempt }) => ({ replaced: result.ok, attempt }), {
      handle: (result) => result.ok && (result.value as { status: number }).status >= 500,
    });
    expect(await policy.execute(() => answer(200))).toMatchObject({ status: 200 });
    expect(await policy.execute(() => answer(500))).toEqual({ replaced: true, attempt: 1 });
    await settle();
    expect(disposed).toEqual([500]);
    await expect(policy.execute(fail)).rejects.toBe(boom);
  });

  test('a predicate or a listener that throws changes nothing', async () => {
    const faults: unknown[] = [];
    const policy = fallback('none', {
      handle: () => {
        throw new Error('handle');
      },
    });
    policy.on('fallback', () => {
      throw new Error('listener');
    });
    policy.on('fault', ({ error }) => faults.push(String(error)));
    expect(await policy.execute(fail)).toBe('none');
    expect(await policy.execute(() => 1)).toBe(1);
    expect(faults).toEqual(['Error: handle', 'Error: listener', 'Error: handle']);
  });

  test('types: the result is A | B', async () => {
    const one: number | string = await fallback('none').execute(fail);
    const two: number | { id: number } = await fallback(() => Promise.resolve({ id: 1 })).execute(fail);
    const three: number | null = await pipeline(fallback(null)).execute(fail);
    const list: number[] = await fallback([]).execute(() => [1]);
    // @ts-expect-error -- the result may be a string
    const wrong: number = await fallback('none').execute(fail);
    expect([one, two, three, list, wrong]).toEqual(['none', { id: 1 }, null, [1], 'none']);
  });
});
