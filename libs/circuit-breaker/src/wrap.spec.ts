import { describe, expect, test } from '@jest/globals';
import type { CallSignal } from './abort-signal.ts';
import { circuitBreaker } from './circuit-breaker.ts';
import { isCircuitOpenError } from './errors.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { newController } from './testing/signals.ts';
import { sameType } from './testing/same-type.ts';

trapRejections();

describe('wrap', () => {
  test('keeps this, arguments, name, length and type', async () => {
    const breaker = circuitBreaker();
    async function greet(this: { readonly greeting: string }, name: string, mark = '!'): Promise<string> {
      return Promise.resolve(`${this.greeting} ${name}${mark}`);
    }
    const guarded = breaker.wrap(greet);
    sameType<typeof guarded, typeof greet>(true);
    expect([guarded.name, guarded.length]).toEqual(['greet', 1]);
    for (const key of ['name', 'length']) {
      expect(Object.getOwnPropertyDescriptor(guarded, key)).toEqual(
        Object.getOwnPropertyDescriptor(greet, key),
      );
    }
    await expect(guarded.call({ greeting: 'Hello' }, 'Ada')).resolves.toBe('Hello Ada!');
    const host = { greeting: 'Hi', guarded };
    await expect(host.guarded('Bob', '?')).resolves.toBe('Hi Bob?');
  });

  test('keeps generic functions generic', async () => {
    const breaker = circuitBreaker();
    const first = breaker.wrap(async <T>(items: readonly T[]): Promise<T | undefined> =>
      Promise.resolve(items[0]),
    );
    const item = await first([1, 2]);
    sameType<typeof item, number | undefined>(true);
    expect(item).toBe(1);
  });

  test('makes a synchronous function asynchronous, and its throw a rejection', async () => {
    const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
    const parse = breaker.wrap((text: string): unknown => JSON.parse(text));
    await expect(parse('{"a":1}')).resolves.toEqual({ a: 1 });
    await expect(parse('{')).rejects.toBeInstanceOf(SyntaxError);
    await expect(parse('{}')).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  });

  test('a signal option that throws is a rejection too', async () => {
    const load = circuitBreaker().wrap(
      (request: { signal: CallSignal } | undefined) => Promise.resolve(request),
      {
        signal: (request) => (request as unknown as { signal: CallSignal }).signal,
      },
    );
    const call = load(undefined);
    await expect(call).rejects.toBeInstanceOf(TypeError);
  });

  test('its fallback gets the error and the arguments, and widens the type', async () => {
    const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
    const load = breaker.wrap(
      async (id: number, _fresh: boolean): Promise<string> => Promise.reject(new Error(`no ${id}`)),
      { fallback: (error, id, fresh) => [(error as Error).message, id, fresh] as const },
    );
    const answer = await load(7, true);
    sameType<typeof answer, string | readonly [string, number, boolean]>(true);
    expect(answer).toEqual(['no 7', 7, true]);
  });

  test('finds the signal among the arguments', async () => {
    const breaker = circuitBreaker({ maximumFailuresAllowed: 1 });
    const load = breaker.wrap((_id: number, _signal?: CallSignal) => new Promise<string>(() => undefined), {
      signal: (_id, signal) => signal,
    });
    const controller = newController();
    const call = load(1, controller.signal);
    controller.abort('gone');
    await expect(call).rejects.toBe('gone');
    expect(breaker.state).toBe('closed');
  });
});

describe('protect (B19: a standard decorator)', () => {
  const breaker = circuitBreaker({ maximumFailuresAllowed: 2 });

  class Users {
    static readonly table = 'users';
    readonly #prefix: string;

    constructor(prefix: string) {
      this.#prefix = prefix;
    }

    @breaker.protect()
    async find(id: number, _deep = false): Promise<string> {
      return Promise.resolve(this.#prefix + String(id));
    }

    @breaker.protect()
    static async count(): Promise<string> {
      return Promise.resolve(`count of ${this.table}`);
    }

    @breaker.protect({ fallback: (): string[] => [] })
    async list(): Promise<string[]> {
      return Promise.reject(new Error(this.#prefix));
    }

    @breaker.protect()
    async #hidden(text: string): Promise<string> {
      return Promise.resolve(this.#prefix + text);
    }

    reveal(text: string): Promise<string> {
      return this.#hidden(text);
    }
  }

  test('keeps this, arguments, name and length of instance, static and private methods', async () => {
    const users = new Users('user ');
    await expect(users.find(7)).resolves.toBe('user 7');
    await expect(new Users('u').find(8, true)).resolves.toBe('u8');
    expect([users.find.name, users.find.length]).toEqual(['find', 1]);
    expect(Object.hasOwn(Users.prototype, 'find')).toBe(true);
    await expect(Users.count()).resolves.toBe('count of users');
    await expect(users.reveal('x')).resolves.toBe('user x');
  });

  test('all methods and instances share the circuit', async () => {
    await expect(new Users('a').list()).resolves.toEqual([]);
    await expect(new Users('b').list()).resolves.toEqual([]);
    expect(breaker.state).toBe('open');
    const refusal: unknown = await Users.count().catch((error: unknown) => error);
    expect(isCircuitOpenError(refusal)).toBe(true);
    await expect(new Users('c').list()).resolves.toEqual([]);
    breaker.reset();
  });

  test('refuses what is not a method, and legacy decorators, with a clear word', () => {
    const decorate = breaker.protect() as unknown as (target: unknown, context: unknown) => unknown;
    for (const context of ['find', { kind: 'class' }, undefined]) {
      expect(() => decorate(() => undefined, context)).toThrow(
        new TypeError('circuitBreaker: protect is a standard decorator for methods'),
      );
    }
  });
});
