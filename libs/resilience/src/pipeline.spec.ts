import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CallContext } from './call.ts';
import { pipeline } from './pipeline.ts';
import type { Policy } from './policy.ts';
import { caller, pending } from './testing/abort-controller.ts';
import { trapUnhandled } from './testing/unhandled.ts';
import { settle } from './test-kit/virtual-time.ts';

const unhandled = trapUnhandled();
beforeAll(unhandled.start);
afterAll(unhandled.check);

const boom = new Error('boom');

function tracing(name: string, log: string[]): Policy {
  return {
    layer: (next) => {
      log.push(`compile ${name}`);
      return async (call) => {
        log.push(`> ${name}`);
        const value = await next(call);
        log.push(`< ${name}`);
        return value;
      };
    },
  };
}

const fixed = <Out>(answer: Out): Policy<Out> => ({
  layer: (next) => (call) => next(call).catch(() => answer),
});

describe('pipeline', () => {
  test('the first is the outermost, and layers are made once', async () => {
    const log: string[] = [];
    const both = pipeline(tracing('a', log), pipeline(tracing('b', log)));
    expect(await both.execute(() => 1)).toBe(1);
    expect(await both.execute(() => 2)).toBe(2);
    const call = ['> a', '> b', '< b', '< a'];
    expect(log).toEqual(['compile b', 'compile a', ...call, ...call]);
  });

  test('without policies it just calls', async () => {
    expect(await pipeline().execute(({ attempt, deadline }) => [attempt, deadline])).toEqual([1, undefined]);
  });

  test.each([[undefined], [{}], [() => 1]])('refuses %p, which is no policy', (argument) => {
    expect(() => pipeline(argument as never)).toThrow(
      new TypeError('pipeline: argument 1 must be a policy, with a method layer'),
    );
  });

  test('its list is its own', async () => {
    const log: string[] = [];
    const policies: Policy[] = [tracing('a', log)];
    const one = pipeline(...policies);
    policies.push(tracing('b', log));
    await one.execute(() => 1);
    expect(log).toEqual(['compile a', '> a', '< a']);
  });
});

describe('execute', () => {
  const plain = pipeline();

  // opossum 10 B2 (undefined is a TypeError there); mollitia: sync functions throw.
  test('takes sync values, undefined, thenables, sync throws and rejections that are no errors', async () => {
    expect(await plain.execute((): unknown => undefined)).toBe(undefined);
    const thenable = { then: Promise.prototype.then.bind(Promise.resolve(3)) } as PromiseLike<number>;
    expect(await plain.execute(() => thenable)).toBe(3);
    await expect(
      plain.execute(() => {
        throw boom;
      }),
    ).rejects.toBe(boom);
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- people do that
    await expect(plain.execute(() => Promise.reject('text'))).rejects.toBe('text');
  });

  test('a policy of somebody else that throws rejects', async () => {
    const broken: Policy = {
      layer: () => () => {
        throw boom;
      },
    };
    await expect(pipeline(broken).execute(() => 1)).rejects.toBe(boom);
    const { signal } = caller();
    await expect(pipeline(broken).execute(() => 1, { signal })).rejects.toBe(boom);
  });

  test('an abort rejects at once with its reason, tells the function, and leaves no listener', async () => {
    const user = caller();
    const seen: CallContext[] = [];
    const answer = plain.execute((context) => {
      seen.push(context);
      return pending().promise;
    }, user);
    user.abort(boom);
    await expect(answer).rejects.toBe(boom);
    expect(seen[0]?.signal.reason).toBe(boom);
    expect(user.listeners).toBe(0);
  });

  test('a caller that has given up before is not served', async () => {
    const user = caller();
    user.abort(boom);
    let calls = 0;
    await expect(plain.execute(() => calls++, user)).rejects.toBe(boom);
    expect([calls, user.listeners]).toEqual([0, 0]);
  });

  test('an answer that comes after the abort is disposed', async () => {
    const user = caller();
    const late = pending();
    const answer = plain.execute(() => late.promise, user);
    user.abort(boom);
    await expect(answer).rejects.toBe(boom);
    let disposed = 0;
    late.resolve({ [Symbol.dispose]: () => disposed++ });
    await settle();
    expect(disposed).toBe(1);
  });

  test('a rejection that comes after the abort is swallowed', async () => {
    const user = caller();
    const late = pending();
    const answer = plain.execute(() => late.promise, user);
    user.abort(boom);
    await expect(answer).rejects.toBe(boom);
    late.reject(new Error('late'));
    await settle();
  });

  // cockatiel before 3.2: cockatiel#69, #81.
  test('one long-lived signal has no listener after a million calls', async () => {
    const user = caller();
    for (let index = 0; index < 1e6; index++) await plain.execute(() => index, user);
    expect(user.listeners).toBe(0);
  }, 60_000);
});

test('tryExecute tells the outcome and never rejects', async () => {
  expect(await pipeline().tryExecute(() => 1)).toEqual({ ok: true, value: 1 });
  expect(await pipeline().tryExecute(() => Promise.reject(boom))).toEqual({ ok: false, error: boom });
});

describe('wrap', () => {
  test('keeps this, arguments, name and length', async () => {
    async function add(this: { base: number }, a: number, b: number): Promise<number> {
      return Promise.resolve(this.base + a + b);
    }
    const wrapped = pipeline().wrap(add);
    expect(await wrapped.call({ base: 1 }, 2, 3)).toBe(6);
    expect([wrapped.name, wrapped.length]).toEqual(['add', 2]);
  });

  test("finds the caller's signal, and passes the call's in its place", async () => {
    const user = caller();
    const never = (_id: number, signal = caller().signal): Promise<number> => {
      seen.push(signal);
      return pending<number>().promise;
    };
    const seen: unknown[] = [];
    const wrapped = pipeline().wrap(never, {
      signal: (_id, signal) => signal,
      pass: ({ signal }, id) => [id, signal],
    });
    const answer = wrapped(1, user.signal);
    user.abort(boom);
    await expect(answer).rejects.toBe(boom);
    expect(seen).toEqual([user.signal]);
  });

  test('what the option signal throws comes out of the promise', async () => {
    const wrapped = pipeline().wrap(() => 1, {
      signal: () => {
        throw boom;
      },
    });
    await expect(wrapped()).rejects.toBe(boom);
  });
});

test('types: the answers of the policies widen the result', async () => {
  const one: Promise<number> = pipeline().execute(() => 1);
  const two: Promise<number | 'none'> = pipeline(fixed('none' as const)).execute(() => 1);
  const three: Promise<number | string | null> = pipeline(fixed('none'), pipeline(fixed(null))).execute(
    () => 1,
  );
  const four: Promise<number | undefined> = pipeline(fixed(undefined)).execute(() => Promise.resolve(1));
  // @ts-expect-error -- the fallback may answer
  const wrong: Promise<number> = pipeline(fixed('none')).execute(() => 1);
  // @ts-expect-error -- also with undefined
  const lost: Promise<number> = pipeline(fixed(undefined)).execute(() => 1);
  // @ts-expect-error -- a number is no policy
  expect(() => pipeline(1)).toThrow(TypeError);
  const generic: <T>(value: T) => Promise<T> = pipeline().wrap(async <T>(value: T): Promise<T> =>
    Promise.resolve(value),
  );
  // @ts-expect-error -- a widened result is not that of the function
  const narrow: () => Promise<number> = pipeline(fixed('none')).wrap(async () => Promise.resolve(1));
  const widened: () => Promise<number | string> = pipeline(fixed('none')).wrap(async () =>
    Promise.resolve(1),
  );
  const outcome = await pipeline(fixed(null)).tryExecute(() => 1);
  if (outcome.ok) expect<number | null>(outcome.value).toBe(1);
  expect(
    await Promise.all([one, two, three, four, wrong, lost, generic(1), narrow(), widened()]),
  ).toHaveLength(9);
});
