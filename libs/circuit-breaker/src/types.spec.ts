import { describe, expect, test } from '@jest/globals';
import { circuitBreaker } from './circuit-breaker.ts';
import { CircuitBreakers } from './circuit-breakers.ts';
import { isCircuitOpenError, type CircuitOpenError, type Refusal } from './errors.ts';
import type { CallOutcome } from './outcome.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { sameType } from './testing/same-type.ts';
import { any } from './trip-rule.ts';
import { failureCount, failureRate, slowCallRate, windowRule } from './window-rule.ts';

trapRejections();

/** Compiled, never run. */
const onlyTypes = (code: () => unknown): void => {
  expect(code).toBeInstanceOf(Function);
};

describe('execute', () => {
  test('answers what fn returns, or what the fallback does', async () => {
    const breaker = circuitBreaker();
    const plain = await breaker.execute(async () => Promise.resolve(1));
    sameType<typeof plain, number>(true);
    const widened = await breaker.execute(async () => Promise.resolve(1), { fallback: () => 'none' });
    sameType<typeof widened, number | string>(true);
    const both = await breaker.execute(() => 1 as const, { fallback: () => Promise.resolve(null) });
    sameType<typeof both, 1 | null>(true);
    const deep = await breaker.execute(() => Promise.resolve(Promise.resolve(true)));
    sameType<typeof deep, boolean>(true);
    expect([plain, widened, both, deep]).toEqual([1, 1, 1, true]);
  });

  test('options and names of events are checked', () => {
    onlyTypes(() => {
      // @ts-expect-error -- there is no such option
      circuitBreaker({ maximumFailures: 3 });
      // @ts-expect-error -- there is no such event
      circuitBreaker().on('opened', () => undefined);
      // @ts-expect-error -- there is no such mode
      circuitBreaker({ mode: 'off' });
      // @ts-expect-error -- the clock of a circuit cannot be changed while it works
      circuitBreaker().reconfigure({ clock: { now: () => 0 } });
      // @ts-expect-error -- a classifier answers one of three words
      circuitBreaker({ classify: () => 'maybe' });
      // @ts-expect-error -- what is slow must be said
      slowCallRate({ ratio: 0.5 });
      // @ts-expect-error -- a rule of your own must say when it trips
      windowRule({ windowMs: 10 });
      // @ts-expect-error -- any() of nothing never opens
      any();
    });
  });

  test('an error is unknown until the guard has told', () => {
    const read = (error: unknown): number => {
      if (!isCircuitOpenError(error)) return -1;
      sameType<typeof error, CircuitOpenError>(true);
      sameType<typeof error.cause, unknown>(true);
      return error.retryAfterMs;
    };
    expect(read(new Error('other'))).toBe(-1);
  });
});

describe('tryExecute', () => {
  test('its outcome narrows by ok, and by refusal', async () => {
    const outcome = await circuitBreaker().tryExecute(async () => Promise.resolve(1));
    sameType<typeof outcome, CallOutcome<number>>(true);
    if (outcome.ok) {
      sameType<typeof outcome.value, number>(true);
      sameType<typeof outcome.refusal, undefined>(true);
    } else if (outcome.refusal !== undefined) {
      sameType<typeof outcome.refusal, Refusal>(true);
    }
    onlyTypes(() => {
      // @ts-expect-error -- there is a value only once `ok` has been looked at
      expect(outcome.value).toBe(1);
    });
    expect(outcome).toEqual({ ok: true, value: 1 });
  });
});

describe('wrap', () => {
  const breaker = circuitBreaker();

  test('keeps tuples, optional and rest parameters', () => {
    const tuple = breaker.wrap(async (...args: [id: number, name?: string]) => Promise.resolve(args));
    sameType<Parameters<typeof tuple>, [id: number, name?: string]>(true);
    const rest = breaker.wrap(async (first: string, ...more: number[]) => Promise.resolve([first, more]));
    sameType<Parameters<typeof rest>, [first: string, ...more: number[]]>(true);
    expect([tuple.length, rest.length]).toEqual([0, 1]);
  });

  test('keeps generics and their constraints', async () => {
    const pick = breaker.wrap(async <T, K extends keyof T>(object: T, key: K): Promise<T[K]> =>
      Promise.resolve(object[key]),
    );
    const name = await pick({ name: 'Ada', age: 36 }, 'name');
    sameType<typeof name, string>(true);
    onlyTypes(() => {
      // @ts-expect-error -- the constraint holds: there is no such key
      void pick({ name: 'Ada' }, 'age');
    });
    expect(name).toBe('Ada');
  });

  test('keeps overloads', async () => {
    function load(id: number): Promise<string>;
    function load(ids: readonly number[]): Promise<string[]>;
    async function load(id: number | readonly number[]): Promise<string | string[]> {
      return Promise.resolve(typeof id === 'number' ? `#${id}` : id.map((one) => `#${one}`));
    }
    const guarded = breaker.wrap(load);
    const [one, many] = [await guarded(1), await guarded([1, 2])];
    sameType<typeof one, string>(true);
    sameType<typeof many, string[]>(true);
    expect([one, many]).toEqual(['#1', ['#1', '#2']]);
  });

  test('keeps what this must be', () => {
    async function greet(this: { readonly greeting: string }): Promise<string> {
      return Promise.resolve(this.greeting);
    }
    const guarded = breaker.wrap(greet);
    sameType<ThisParameterType<typeof guarded>, { readonly greeting: string }>(true);
    onlyTypes(() => {
      // @ts-expect-error -- without a greeting there is nobody to greet
      void guarded();
    });
  });

  test('makes a promise of what was none, and a union of what has a fallback', () => {
    const sync = breaker.wrap((text: string) => text.length);
    sameType<typeof sync, (this: unknown, text: string) => Promise<number>>(true);
    const either = breaker.wrap((text: string) => text.length, { fallback: (_error, text) => [text] });
    sameType<Awaited<ReturnType<typeof either>>, number | string[]>(true);
    expect([sync.length, either.length]).toEqual([1, 1]);
  });

  test('the fallback and the signal see the arguments', () => {
    onlyTypes(() => {
      breaker.wrap((id: number) => id, {
        fallback: (_error, id) => {
          sameType<typeof id, number>(true);
          return id;
        },
        // @ts-expect-error -- a number is no signal
        signal: (id) => id,
      });
    });
  });
});

describe('protect', () => {
  const breaker = circuitBreaker();
  const users = new CircuitBreakers();

  test('keeps the type of the method, and lets its fallback answer only that', () => {
    class Users {
      @breaker.protect({ fallback: (): string[] => [] })
      async list(page: number, ...tags: string[]): Promise<string[]> {
        return Promise.resolve([String(page), ...tags]);
      }

      @users.protect({ key: (id: number) => String(id) })
      async find(id: number, deep: boolean): Promise<string> {
        return Promise.resolve(`${id} ${deep}`);
      }
    }
    sameType<Users['list'], (page: number, ...tags: string[]) => Promise<string[]>>(true);
    sameType<Users['find'], (id: number, deep: boolean) => Promise<string>>(true);

    onlyTypes(() => {
      class Wrong {
        // @ts-expect-error -- a fallback must be something that the method may return
        @breaker.protect({ fallback: () => 'text' })
        async count(): Promise<number> {
          return Promise.resolve(1);
        }

        // @ts-expect-error -- a protected method is asynchronous, so it must have been before
        @breaker.protect()
        size(): number {
          return 1;
        }

        // @ts-expect-error -- the key is made of arguments that the method has
        @users.protect({ key: (id: number) => String(id) })
        async find(id: string): Promise<string> {
          return Promise.resolve(id);
        }

        // @ts-expect-error -- a field is no method
        @breaker.protect()
        readonly field = async (): Promise<number> => Promise.resolve(1);
      }
      return new Wrong();
    });
  });
});

test('rules are values that compose', () => {
  const rule = any(failureCount(), failureRate({ windowCalls: 10 }), any(slowCallRate({ slowAfterMs: 1 })));
  expect(rule.needs).toBe('durations');
});
