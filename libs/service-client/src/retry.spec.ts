import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { VirtualTime } from '@mesh/resilience/testing';
import { errors, type Dispatcher } from 'undici';
import {
  callContext,
  createCallContext,
  type CallContext,
  type ServiceDispatchOptions,
} from './call-context.ts';
import { NoInstanceError, isTimeoutError } from './errors.ts';
import type { CallResult } from './observer.ts';
import { retry, type RetryOptions } from './retry.ts';
import type { Flow as Controller, Handler } from './transport.ts';

/** What the upstream does with one attempt. */
type Script =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | { readonly error: Error; readonly sent?: boolean; readonly after?: 'head' | 'informational' }
  | 'hang'
  | 'queue';

const reset = new errors.SocketError('other side closed');
const refused = Object.assign(new Error('connect ECONNREFUSED'), {
  code: 'ECONNREFUSED',
  syscall: 'connect',
});

/** A controller that ends its attempt like undici's: one error, none after the end. */
class FakeController implements Controller {
  readonly #handler: Handler;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  ended = false;
  rawHeaders: string[] = ['x-raw', '1'];

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    if (!this.ended) this.#handler.onResponseError?.(this, reason);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

/** A function, because the compiler takes a flag that was false once for false ever after. */
const gone = (controller: FakeController): boolean => controller.aborted;

class FakeUpstream {
  readonly attempts: {
    readonly at: number;
    readonly options: ServiceDispatchOptions;
    readonly controller: FakeController;
    readonly handler: Handler;
  }[] = [];
  readonly #scripts: Script[];
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, scripts: readonly Script[]) {
    this.#time = time;
    this.#scripts = [...scripts];
  }

  readonly dispatch: Dispatcher.Dispatch = (options, handler) => {
    const controller = new FakeController(handler);
    this.attempts.push({ at: this.#time.now(), options, controller, handler });
    const script = this.#scripts.shift() ?? { status: 200, body: 'ok' };
    if (script === 'queue') return true;
    if (script === 'hang') handler.onRequestStart?.(controller, null);
    else if ('error' in script) this.#fail(script, handler, controller);
    else this.#answer(script, handler, controller);
    return true;
  };

  #fail(script: Extract<Script, { error: Error }>, handler: Handler, controller: FakeController): void {
    if (script.sent !== false) handler.onRequestStart?.(controller, null);
    if (gone(controller)) return;
    if (script.after === 'informational') handler.onResponseStart?.(controller, 103, {}, 'Early Hints');
    if (script.after === 'head') handler.onResponseStart?.(controller, 200, {}, 'OK');
    controller.ended = true;
    handler.onResponseError?.(controller, script.error);
  }

  #answer(script: Extract<Script, { status: number }>, handler: Handler, controller: FakeController): void {
    handler.onRequestStart?.(controller, null);
    if (gone(controller)) return;
    handler.onResponseStart?.(controller, script.status, script.headers ?? {}, 'x');
    if (gone(controller)) return;
    for (const chunk of script.body?.match(/.{1,1000}/g) ?? [])
      handler.onResponseData?.(controller, Buffer.from(chunk));
    if (gone(controller)) return;
    controller.ended = true;
    handler.onResponseEnd?.(controller, {});
  }
}

/** The caller's side: everything it is told, in order. */
class Caller implements Handler {
  readonly events: string[] = [];
  controller: Controller | undefined;
  error: Error | undefined;
  body = '';
  onHead: (() => void) | undefined;

  onRequestStart(controller: Controller): void {
    this.events.push('start');
    this.controller = controller;
  }
  onResponseStart(_: Controller, status: number): void {
    this.events.push(String(status));
    this.onHead?.();
  }
  onResponseData(_: Controller, chunk: Buffer): void {
    this.body += chunk.toString();
  }
  onResponseEnd(): void {
    this.events.push('end');
  }
  onResponseError(_: Controller, error: Error): void {
    this.events.push('error');
    this.error = error;
  }
}

interface Scene {
  readonly time: VirtualTime;
  readonly upstream: FakeUpstream;
  readonly caller: Caller;
  readonly context: CallContext;
  readonly results: CallResult[];
}

function call(
  scripts: readonly Script[],
  options: Partial<ServiceDispatchOptions> = {},
  more: RetryOptions & { readonly context?: Partial<CallContext> } = {},
): Scene {
  const { context: given, ...retryOptions } = more;
  const time = new VirtualTime();
  const upstream = new FakeUpstream(time, scripts);
  const caller = new Caller();
  const results: CallResult[] = [];
  const context: CallContext = { ...createCallContext(), ...given };
  const dispatch = retry({
    ...{ timers: time, clock: time, random: () => 0.5, observe: (result) => results.push(result) },
    ...retryOptions,
  })(upstream.dispatch);
  dispatch(
    { origin: 'http://user-service', path: '/', method: 'GET', [callContext]: context, ...options },
    caller,
  );
  return { time, upstream, caller, context, results };
}

const busy: Script = { status: 503 };

describe('status', () => {
  test('a 503 is repeated after 50, 100 and 200 ms (half of 100, 200, 400), then passed on', async () => {
    const { time, upstream, caller, results } = call([busy, busy, busy, { status: 503, body: 'no' }]);
    await time.advance(10_000);
    expect(upstream.attempts.map(({ at }) => at)).toEqual([0, 50, 150, 350]);
    expect(caller.events).toEqual(['start', '503', 'end']);
    expect(caller.body).toBe('no');
    expect(results).toEqual([{ status: 503, error: undefined, aborted: false, latencyMs: 350, retries: 3 }]);
  });

  test.each([502, 503, 504])('%d is repeated', async (status) => {
    const { time, caller } = call([{ status, body: 'discarded' }]);
    await time.advance(50);
    expect(caller.events).toEqual(['start', '200', 'end']);
    expect(caller.body).toBe('ok');
  });

  test.each([200, 304, 400, 404, 429, 500, 501])('%d is passed on', async (status) => {
    const { time, upstream, caller } = call([{ status }]);
    await time.advance(10_000);
    expect(upstream.attempts).toHaveLength(1);
    expect(caller.events).toEqual(['start', String(status), 'end']);
  });

  test('a POST is not repeated, unless it carries an Idempotency-Key', async () => {
    const plain = call([busy], { method: 'POST', body: 'x' });
    const keyed = call([busy], { method: 'POST', body: 'x', headers: { 'Idempotency-Key': '1' } });
    await Promise.all([plain.time.advance(1000), keyed.time.advance(1000)]);
    expect(plain.caller.events).toEqual(['start', '503', 'end']);
    expect(keyed.caller.events).toEqual(['start', '200', 'end']);
  });

  test('a streamed body is not repeated once it was sent', async () => {
    const { time, upstream } = call([busy], { method: 'PUT', body: Readable.from(['x']) });
    await time.advance(1000);
    expect(upstream.attempts).toHaveLength(1);
  });

  test('one-time headers reach every attempt', async () => {
    const once = new Map([['x-a', '1']]).entries();
    const { time, upstream } = call([busy], { headers: once });
    await time.advance(1000);
    expect(upstream.attempts.map(({ options }) => options.headers)).toEqual([
      ['x-a', '1'],
      ['x-a', '1'],
    ]);
  });
});

describe('errors', () => {
  test('what was refused before it was sent goes elsewhere at once, whatever the method', async () => {
    const { time, upstream, caller } = call(
      [{ error: refused, sent: false }],
      { method: 'POST', body: 'x' },
      { context: { othersLeft: true } },
    );
    await time.advance(0);
    expect(upstream.attempts).toHaveLength(2);
    expect(caller.events).toEqual(['start', '200', 'end']);
  });

  test('an untouched stream may go elsewhere too', async () => {
    const { time, caller } = call(
      [{ error: refused, sent: false }],
      { method: 'POST', body: Readable.from(['x']) },
      { context: { othersLeft: true } },
    );
    await time.advance(0);
    expect(caller.events).toEqual(['start', '200', 'end']);
  });

  test('with nowhere else to go it waits', async () => {
    const { time, upstream } = call([{ error: refused, sent: false }]);
    await time.advance(49);
    expect(upstream.attempts).toHaveLength(1);
    await time.advance(1);
    expect(upstream.attempts).toHaveLength(2);
  });

  test('a reset is repeated for a GET, not for a POST', async () => {
    const get = call([{ error: reset }]);
    const post = call([{ error: reset }], { method: 'POST', body: 'x' });
    await Promise.all([get.time.advance(1000), post.time.advance(1000)]);
    expect(get.caller.events).toEqual(['start', '200', 'end']);
    expect(post.caller.events).toEqual(['start', 'error']);
    expect(post.caller.error).toBe(reset);
  });

  test.each([
    ['no instance', new NoInstanceError('user-service')],
    ['a bad argument', new errors.InvalidArgumentError('bad')],
    ['a failure of the own body', new Error('own body')],
  ])('%s is passed on at once', async (_, error) => {
    const { time, upstream, caller } = call([{ error, sent: false }]);
    await time.advance(10_000);
    expect(upstream.attempts).toHaveLength(1);
    expect(caller.error).toBe(error);
  });

  test.each(['head', 'informational'] as const)(
    'nothing is repeated after the %s was passed on',
    async (after) => {
      const { time, upstream, caller } = call([{ error: reset, after }]);
      await time.advance(10_000);
      expect(upstream.attempts).toHaveLength(1);
      expect(caller.events).toEqual(['start', after === 'head' ? '200' : '103', 'error']);
    },
  );

  test('a dispatch that throws ends the call with that error', () => {
    const caller = new Caller();
    const boom = new Error('boom');
    const dispatch = retry()(() => {
      throw boom;
    });
    dispatch({ origin: 'http://a', path: '/', method: 'GET' }, caller);
    expect(caller.error).toBe(boom);
  });
});

describe('Retry-After', () => {
  const wait = (seconds: string): Script => ({ status: 503, headers: { 'retry-after': seconds } });

  test('is waited out when no other instance is left', async () => {
    const { time, upstream } = call([wait('3')]);
    await time.advance(2999);
    expect(upstream.attempts).toHaveLength(1);
    await time.advance(1);
    expect(upstream.attempts).toHaveLength(2);
  });

  test('does not keep the call from another instance', async () => {
    const { time, upstream } = call([wait('3')], {}, { context: { othersLeft: true } });
    await time.advance(50);
    expect(upstream.attempts).toHaveLength(2);
  });

  test('ends the call when it is longer than the limit, or than the time left', async () => {
    const long = call([wait('11')]);
    const late = call([wait('2')], {}, { context: { timeoutMs: 1500 } });
    await Promise.all([long.time.advance(0), late.time.advance(0)]);
    expect(long.caller.events).toEqual(['start', '503', 'end']);
    expect(late.caller.events).toEqual(['start', '503', 'end']);
  });
});

describe('budget', () => {
  test('is shared by the calls of a service and refills with time', async () => {
    const time = new VirtualTime();
    const upstream = new FakeUpstream(
      time,
      Array.from({ length: 1000 }, () => busy),
    );
    const dispatch = retry({
      timers: time,
      clock: time,
      random: () => 0,
      budgetRatio: 0.2,
      minRetriesPerSecond: 1,
    })(upstream.dispatch);
    const send = (origin: string): void => {
      for (let i = 0; i < 50; i++) dispatch({ origin, path: '/', method: 'GET' }, new Caller());
    };
    send('http://user-service');
    await time.advance(0);
    // The reserve of 10 and what 50 requests earn on top of a full bucket, which is what they spent before the next came.
    expect(upstream.attempts.length).toBeLessThanOrEqual(50 + 10 + 10);
    expect(upstream.attempts.length).toBeGreaterThanOrEqual(50 + 10);
    const before = upstream.attempts.length;
    send('http://order-service');
    await time.advance(0);
    expect(upstream.attempts.length - before).toBeGreaterThanOrEqual(60);
  });
});

describe('abort', () => {
  test('during back-off it ends the call at once and clears the timer', async () => {
    const { time, upstream, caller, results } = call([busy]);
    await time.advance(10);
    expect(time.pending).toBe(1);
    caller.controller?.abort(new Error('enough'));
    expect(caller.events).toEqual(['start', 'error']);
    expect(caller.error?.message).toBe('enough');
    expect(time.pending).toBe(0);
    await time.advance(10_000);
    expect(upstream.attempts).toHaveLength(1);
    expect(results).toMatchObject([{ aborted: true, status: undefined, latencyMs: 10 }]);
  });

  test('reaches the attempt under way', () => {
    const { upstream, caller } = call(['hang']);
    const reason = new Error('enough');
    caller.controller?.abort(reason);
    expect(upstream.attempts[0]?.controller.reason).toBe(reason);
    expect(caller.events).toEqual(['start', 'error']);
    expect(caller.controller).toMatchObject({ aborted: true, reason });
  });

  test('before a connection exists ends the call, and the attempt when it begins', () => {
    const { upstream, caller } = call(['queue']);
    caller.controller?.abort(new Error('enough'));
    expect(caller.events).toEqual(['start', 'error']);
    const [attempt] = upstream.attempts;
    attempt?.handler.onRequestStart?.(attempt.controller, null);
    expect(attempt?.controller.reason?.message).toBe('enough');
    expect(caller.events).toEqual(['start', 'error']);
  });

  test('at the very start asks nobody', () => {
    const time = new VirtualTime();
    const upstream = new FakeUpstream(time, []);
    const caller = new Caller();
    caller.onRequestStart = (controller) => {
      controller.abort(new Error('no'));
    };
    retry({ timers: time, clock: time })(upstream.dispatch)(
      { origin: 'http://a', path: '/', method: 'GET' },
      caller,
    );
    expect(upstream.attempts).toHaveLength(0);
    expect(caller.events).toEqual(['error']);
  });

  test('after the end does nothing', () => {
    const { caller } = call([{ status: 200 }]);
    caller.controller?.abort(new Error('late'));
    expect(caller.events).toEqual(['start', '200', 'end']);
  });

  test("without a reason gets undici's", () => {
    const { caller } = call(['hang']);
    (caller.controller?.abort as (() => void) | undefined)?.call(caller.controller);
    expect(caller.error).toBeInstanceOf(errors.RequestAbortedError);
  });
});

describe('deadline', () => {
  test('ends an attempt that hangs, and is no abort of the caller', async () => {
    const { time, upstream, caller, results } = call(['hang'], {}, { context: { timeoutMs: 300 } });
    await time.advance(299);
    expect(caller.events).toEqual(['start']);
    await time.advance(1);
    expect(isTimeoutError(caller.error)).toBe(true);
    expect(caller.error).toMatchObject({ timeoutMs: 300 });
    expect(upstream.attempts[0]?.controller.aborted).toBe(true);
    expect(caller.controller?.aborted).toBe(false);
    expect(results).toMatchObject([{ aborted: false, latencyMs: 300 }]);
  });

  test('runs over all attempts and is gone afterwards', async () => {
    const { time, caller } = call([busy, busy, 'hang'], {}, { context: { timeoutMs: 300 } });
    await time.advance(300);
    expect(isTimeoutError(caller.error)).toBe(true);
    await time.advance(50);
    expect(time.pending).toBe(0);
    const good = call([{ status: 200 }], {}, { context: { timeoutMs: 300 } });
    // The tick that was set looks once more, and finds nothing to wait for.
    await good.time.advance(50);
    expect(good.time.pending).toBe(0);
  });

  test('no retry is begun that the deadline would cut off', async () => {
    const { time, upstream, caller } = call([busy], {}, { context: { timeoutMs: 50 } });
    await time.advance(1000);
    expect(upstream.attempts).toHaveLength(1);
    expect(caller.events).toEqual(['start', '503', 'end']);
  });
});

describe('a discarded answer', () => {
  test('is read to its end during back-off, so that its connection lives', async () => {
    const { time, upstream } = call([{ status: 503, body: 'x'.repeat(60_000) }]);
    await time.advance(50);
    expect(upstream.attempts[0]?.controller).toMatchObject({ aborted: false, ended: true });
  });

  test('is cut off when it is long', () => {
    const { upstream, caller } = call([{ status: 503, body: 'x'.repeat(70_000) }]);
    expect(upstream.attempts[0]?.controller.aborted).toBe(true);
    expect(caller.events).toEqual(['start']);
  });

  test('is cut off when it has not ended by the next attempt', async () => {
    const { time, upstream, caller } = call(['hang']);
    const [first] = upstream.attempts;
    first?.handler.onResponseStart?.(first.controller, 503, {}, '');
    await time.advance(49);
    expect(first?.controller.aborted).toBe(false);
    await time.advance(1);
    expect(first?.controller.aborted).toBe(true);
    expect(caller.events).toEqual(['start', '200', 'end']);
  });
});

test('the controller steers the attempt whose answer is passed on', async () => {
  const { time, upstream, caller } = call([busy, 'hang']);
  await time.advance(50);
  const second = upstream.attempts[1];
  second?.handler.onResponseStart?.(second.controller, 200, {}, '');
  caller.controller?.pause();
  expect(second?.controller.paused).toBe(true);
  expect(caller.controller?.paused).toBe(true);
  expect(caller.controller?.rawHeaders).toEqual(['x-raw', '1']);
  caller.controller?.resume();
  expect(second?.controller.paused).toBe(false);
});

test('an observer that throws hurts nobody', () => {
  const { caller } = call(
    [{ status: 200 }],
    {},
    {
      observe: () => {
        throw new Error('observer');
      },
    },
  );
  expect(caller.events).toEqual(['start', '200', 'end']);
});

test('whatever happens, the caller hears one start and one end, and nothing stays behind', async () => {
  const script = fc.oneof(
    fc.record({ status: fc.constantFrom(200, 404, 500, 502, 503, 504), body: fc.constantFrom('', 'body') }),
    fc.record({ error: fc.constantFrom<Error>(reset, refused), sent: fc.boolean() }),
    fc.record({
      error: fc.constant<Error>(reset),
      after: fc.constantFrom('head' as const, 'informational' as const),
    }),
    fc.constant('hang' as const),
    fc.constant('queue' as const),
  );
  const scene = fc.record({
    scripts: fc.array(script, { maxLength: 5 }),
    method: fc.constantFrom('GET', 'POST', 'PUT'),
    timeoutMs: fc.constantFrom(0, 1, 120, 5000),
    othersLeft: fc.boolean(),
    abortAt: fc.option(fc.nat(400), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(scene, async ({ scripts, method, timeoutMs, othersLeft, abortAt }) => {
      const { time, upstream, caller, results } = call(
        scripts,
        { method, body: 'x' },
        { context: { timeoutMs, othersLeft } },
      );
      if (abortAt !== undefined) {
        await time.advance(abortAt);
        caller.controller?.abort(new Error('enough'));
      }
      await time.advance(10_000);
      const hung = scripts.some((one) => one === 'hang' || one === 'queue');
      if (hung && abortAt === undefined && timeoutMs === 0)
        caller.controller?.abort(new Error('test is over'));
      expect(caller.events.filter((event) => event === 'start')).toHaveLength(1);
      expect(caller.events.filter((event) => event === 'end' || event === 'error')).toHaveLength(1);
      expect(['end', 'error']).toContain(caller.events.at(-1));
      expect(results).toHaveLength(1);
      expect(time.pending).toBe(0);
      expect(upstream.attempts.length).toBeLessThanOrEqual(4);
      if (method === 'POST') {
        const sent = scripts
          .slice(0, upstream.attempts.length)
          .filter((one) => typeof one === 'object' && !('error' in one && !('after' in one) && !one.sent));
        expect(sent.length).toBeLessThanOrEqual(1);
      }
    }),
    { numRuns: 500 },
  );
});

test.each([
  [{ maxRetries: -1 }, 'retry.maxRetries must be an integer >= 0, got -1'],
  [{ maxRetries: 1.5 }, 'retry.maxRetries must be an integer >= 0, got 1.5'],
  [{ baseDelayMs: NaN }, 'retry.baseDelayMs must be a number from 0 to 2147483647, got NaN'],
  [{ maxDelayMs: 2 ** 31 }, 'retry.maxDelayMs must be a number from 0 to 2147483647, got 2147483648'],
  [{ statuses: [200] }, 'retry.statuses must be an integer >= 400, got 200'],
])('refuses %j', (options, message) => {
  expect(() => retry(options)).toThrow(new RangeError(`serviceClient: ${message}`));
});
