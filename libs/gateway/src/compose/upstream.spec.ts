import { describe, expect, jest, test } from '@jest/globals';
import { CircuitOpenError } from '@mesh/circuit-breaker';
import { isHttpProblem, type HttpProblem } from '@mesh/problem';
import fc from 'fast-check';
import { Upstream } from './upstream.ts';

class Clock {
  time = 1_000_000;
  now(): number {
    return this.time;
  }
}

function failure(code: string | undefined, more: object = {}): Error {
  return Object.assign(new Error('trouble at 10.0.0.1'), { ...(code !== undefined && { code }), ...more });
}

const answer = (data: unknown) => () => Promise.resolve({ data, instance: 'users-1' });
const rejecting = (error: Error) => () => Promise.reject(error);
const trouble = rejecting(failure('ERR_UPSTREAM', { status: 500 }));

async function problemFrom(promise: Promise<unknown>): Promise<HttpProblem> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  if (!isHttpProblem(error)) throw new Error('no problem', { cause: error });
  return error;
}

describe('read', () => {
  test('answers live, then with the last good answer and its age, else with what is empty', async () => {
    const clock = new Clock();
    const users = new Upstream({ service: 'users', clock });
    expect(await users.read('all', answer([1]), [])).toEqual({
      data: [1],
      source: 'service-discovery + circuit-breaker',
      degraded: false,
      upstream: 'users-1',
    });
    clock.time += 1_500;
    expect(await users.read('all', trouble, [])).toEqual({
      data: [1],
      source: 'stale-cache',
      degraded: true,
      ageMs: 1_500,
      reason: 'ERR_UPSTREAM',
      upstream: 'users-1',
    });
    expect(await users.read('other', trouble, [])).toEqual({
      data: [],
      source: 'fallback',
      degraded: true,
      reason: 'ERR_UPSTREAM',
    });
    expect(users.getSnapshot()).toMatchObject({
      reads: { live: 1, stale: 1, fallback: 1 },
      cachedAnswers: 1,
    });
  });

  test('a circuit that refused connections opened gives itself as the reason, not the refusal that it remembers', async () => {
    const users = new Upstream({ service: 'users' });
    const refused = rejecting(failure('ERR_UPSTREAM', { cause: failure('ECONNREFUSED', {}) }));
    const reasons = [];
    for (let call = 0; call < 4; call++) reasons.push((await users.read('all', refused, [])).reason);
    expect(reasons).toEqual(['ERR_UNAVAILABLE', 'ERR_UNAVAILABLE', 'ERR_UNAVAILABLE', 'ERR_CIRCUIT_OPEN']);
    expect(await problemFrom(users.write(refused))).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', status: 503 });
  });

  test('three failures open the circuit: the answer comes at once; after 30 s it tries again', async () => {
    const clock = new Clock();
    const users = new Upstream({ service: 'users', clock });
    const load = jest.fn(trouble);
    for (let call = 0; call < 5; call++) await users.read('all', load, []);
    expect(load).toHaveBeenCalledTimes(3);
    expect(await users.read('all', load, [])).toMatchObject({
      source: 'fallback',
      reason: 'ERR_CIRCUIT_OPEN',
    });
    clock.time += 30_000;
    expect(await users.read('all', answer([1]), [])).toMatchObject({ degraded: false });
    expect(users.circuit.state).toBe('half-open');
    await users.read('all', answer([1]), []);
    expect(users.circuit.state).toBe('closed');
  });

  test.each([
    ['ERR_NO_INSTANCE', failure('ERR_NO_INSTANCE')],
    ['ERR_TIMEOUT', failure('ERR_TIMEOUT')],
    ['ERR_DISCOVERY_UNAVAILABLE', failure('ERR_DISCOVERY_UNAVAILABLE')],
    ['ERR_UPSTREAM', failure('ERR_UPSTREAM', { status: 503 })],
    ['ERR_UNAVAILABLE', failure('ERR_UPSTREAM', { cause: failure('ECONNREFUSED') })],
    ['ERR_TIMEOUT', failure('UND_ERR_HEADERS_TIMEOUT')],
    ['ERR_UPSTREAM', failure('UND_ERR_SOCKET')],
    ['ERR_UPSTREAM', new SyntaxError('Unexpected token')],
    ['ERR_UPSTREAM', failure('constructor')],
    ['ERR_TIMEOUT', new DOMException('late', 'TimeoutError')],
  ])('the reason %s is stable', async (reason, error) => {
    const users = new Upstream({ service: 'users' });
    expect(await users.read('all', rejecting(error), [])).toMatchObject({ reason, degraded: true });
  });

  test('a load that throws synchronously is trouble like any other', async () => {
    const users = new Upstream({ service: 'users' });
    const load = (): never => {
      throw new Error('sync');
    };
    expect(await users.read('all', load, 7)).toMatchObject({ data: 7, source: 'fallback' });
  });

  test('a 4xx of the upstream is the caller’s: it passes, opens nothing, hides nothing', async () => {
    const users = new Upstream({ service: 'users' });
    await users.read('one', answer(1), 0);
    const missing = failure('ERR_UPSTREAM', { status: 404 });
    for (let call = 0; call < 5; call++)
      await expect(users.read('one', rejecting(missing), 0)).rejects.toBe(missing);
    expect(users.circuit.getSnapshot()).toMatchObject({ state: 'closed', failureCount: 0 });
    expect(await users.read('one', trouble, 0)).toMatchObject({ data: 1, source: 'stale-cache' });
  });

  test('a half-open circuit closes on 404 but not on 429', async () => {
    const clock = new Clock();
    const users = new Upstream({ service: 'users', clock });
    for (let call = 0; call < 3; call++) await users.read('one', trouble, 0);
    clock.time += 30_000;
    for (const status of [429, 429, 429]) {
      await users.read('one', rejecting(failure('ERR_UPSTREAM', { status })), 0).catch(() => undefined);
    }
    expect(users.circuit.state).toBe('half-open');
    for (const status of [404, 404]) {
      await users.read('one', rejecting(failure('ERR_UPSTREAM', { status })), 0).catch(() => undefined);
    }
    expect(users.circuit.state).toBe('closed');
  });

  test('a caller’s abort passes and blames nobody', async () => {
    const users = new Upstream({ service: 'users' });
    const abort = new DOMException('gone', 'AbortError');
    for (let call = 0; call < 5; call++)
      await expect(users.read('all', rejecting(abort), [])).rejects.toBe(abort);
    expect(users.circuit.getSnapshot()).toMatchObject({ failureCount: 0, totals: { ignored: 5 } });
  });

  test('an answer is given up to its greatest age and not beyond', async () => {
    const clock = new Clock();
    const users = new Upstream({
      service: 'users',
      clock,
      maxStaleMs: 1_000,
      circuitBreaker: { maximumFailuresAllowed: 100 },
    });
    await users.read('all', answer(1), 0);
    clock.time += 1_000;
    expect(await users.read('all', trouble, 0)).toMatchObject({ data: 1, ageMs: 1_000 });
    clock.time += 1;
    expect(await users.read('all', trouble, 0)).toMatchObject({ data: 0, source: 'fallback' });
    expect(users.getSnapshot().cachedAnswers).toBe(0);
  });

  test('the default greatest age is 24 hours', async () => {
    const clock = new Clock();
    const users = new Upstream({ service: 'users', clock });
    await users.read('all', answer(1), 0);
    clock.time += 86_400_000;
    expect(await users.read('all', trouble, 0)).toMatchObject({ data: 1 });
    clock.time += 1;
    expect(await users.read('all', trouble, 0)).toMatchObject({ data: 0 });
  });

  test('a slow old answer does not replace a newer one', async () => {
    const clock = new Clock();
    const users = new Upstream({ service: 'users', clock });
    const slow = Promise.withResolvers<{ data: string; instance: string }>();
    const first = users.read('all', () => slow.promise, '');
    clock.time += 10;
    await users.read('all', answer('new'), '');
    slow.resolve({ data: 'old', instance: 'users-2' });
    expect(await first).toMatchObject({ data: 'old', degraded: false });
    expect(await users.read('all', trouble, '')).toMatchObject({ data: 'new' });
  });

  test('keys of prototypes are keys', async () => {
    const users = new Upstream({ service: 'users' });
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect(await users.read(key, trouble, 0)).toMatchObject({ source: 'fallback' });
      users.circuit.reset();
      await users.read(key, answer(key), '');
      expect(await users.read(key, trouble, '')).toMatchObject({ data: key, source: 'stale-cache' });
    }
  });
});

describe('write', () => {
  test.each([
    ['ERR_UNAVAILABLE', 503, 1_000, failure('ERR_UPSTREAM', { cause: failure('ECONNREFUSED') })],
    ['ERR_NO_INSTANCE', 503, 2_000, failure('ERR_NO_INSTANCE', { retryAfterMs: 2_000 })],
    ['ERR_UPSTREAM', 502, 1_000, failure('ERR_UPSTREAM', { cause: failure('ECONNRESET') })],
    ['ERR_UPSTREAM', 502, 1_000, failure('ERR_UPSTREAM', { status: 500 })],
    ['ERR_TIMEOUT', 504, 1_000, failure('ERR_TIMEOUT')],
    ['ERR_UNAVAILABLE', 503, 1_000, failure('ERR_TIMEOUT', { cause: failure('UND_ERR_CONNECT_TIMEOUT') })],
  ])('trouble becomes a problem: %s, %d, %d ms', async (code, status, retryAfterMs, error) => {
    const users = new Upstream({ service: 'users' });
    const problem = await problemFrom(users.write(rejecting(error)));
    expect(problem).toMatchObject({ code, status, retryAfterMs, cause: error });
    expect(problem.message).toMatch(/^users /);
    expect(problem.message).not.toContain('10.0.0.1');
  });

  test('an open circuit refuses at once, with the time that is left', async () => {
    const clock = new Clock();
    const users = new Upstream({ service: 'users', clock });
    const load = jest.fn(trouble);
    for (let call = 0; call < 3; call++) await problemFrom(users.write(load));
    clock.time += 10_000;
    const problem = await problemFrom(users.write(load));
    expect(problem).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', status: 503, retryAfterMs: 20_000 });
    expect(problem.cause).toBeInstanceOf(CircuitOpenError);
    expect(load).toHaveBeenCalledTimes(3);
  });

  test('gives the answer as it is, and a 4xx as it was thrown', async () => {
    const users = new Upstream({ service: 'users' });
    const made = { id: 1 };
    const conflict = failure('ERR_UPSTREAM', { status: 409 });
    expect(await users.write(() => Promise.resolve(made))).toBe(made);
    await expect(users.write(rejecting(conflict))).rejects.toBe(conflict);
    expect(users.getSnapshot().cachedAnswers).toBe(0);
  });
});

test.each([
  [{ maxStaleMs: -1 }, 'maxStaleMs must be a number >= 0, got -1'],
  [{ maxStaleMs: NaN }, 'maxStaleMs must be a number >= 0, got NaN'],
  [{ maxEntries: 0 }, 'maxEntries must be an integer >= 1, got 0'],
  [{ maxEntries: 1.5 }, 'maxEntries must be an integer >= 1, got 1.5'],
  [
    { circuitBreaker: { maximumFailuresAllowed: 0 } },
    'maximumFailuresAllowed must be an integer >= 1, got 0',
  ],
])('%j is refused', (options, message) => {
  expect(() => new Upstream({ service: 'users', ...options })).toThrow(RangeError);
  expect(() => new Upstream({ service: 'users', ...options })).toThrow(message);
});

/** What Upstream says it does, as plainly as it can be written; times are far from the edges of the circuit's window. */
class Model {
  state: 'closed' | 'open' | 'half-open' = 'closed';
  failures = 0;
  successes = 0;
  cache: { key: string; data: number; at: number }[] = [];

  /** More time than the window and the break together have passed. */
  longPause(): void {
    this.failures = 0;
    if (this.state === 'open') {
      this.state = 'half-open';
      this.successes = 0;
    }
  }

  call(outcome: 'ok' | 'trouble' | 'missing' | 'abort'): void {
    if (outcome === 'abort') return;
    if (outcome === 'trouble') {
      if (this.state === 'half-open' || ++this.failures === 3) this.state = 'open';
    } else if (this.state === 'half-open' && ++this.successes === 2) {
      this.state = 'closed';
      this.failures = 0;
    }
  }

  keep(key: string, data: number, at: number): void {
    this.cache = [...this.cache.filter((kept) => kept.key !== key), { key, data, at }].slice(-2);
  }

  lastGood(key: string, now: number): { data: number; ageMs: number } | undefined {
    const kept = this.cache.find((one) => one.key === key);
    this.cache = this.cache.filter((one) => one !== kept);
    if (kept === undefined || now - kept.at > 100_000) return undefined;
    this.cache.push(kept);
    return { data: kept.data, ageMs: now - kept.at };
  }
}

const outcome = fc.constantFrom('ok', 'trouble', 'missing', 'abort');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('read'),
      key: fc.constantFrom('a', 'b', '__proto__'),
      outcome,
      data: fc.nat(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('write'), outcome, data: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 0, max: 50 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pause'), ms: fc.integer({ min: 61_000, max: 70_000 }) }),
  },
);

test('behaves as the model, whatever happens in which order', async () => {
  const errors = {
    trouble: failure('ERR_UPSTREAM', { status: 500 }),
    missing: failure('ERR_UPSTREAM', { status: 404 }),
    abort: new DOMException('gone', 'AbortError'),
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new Clock();
      const upstream = new Upstream({ service: 'users', clock, maxStaleMs: 100_000, maxEntries: 2 });
      const model = new Model();
      for (const one of steps) {
        if (one.kind === 'wait' || one.kind === 'pause') {
          clock.time += one.ms;
          if (one.kind === 'pause') model.longPause();
          continue;
        }
        const isOpen = model.state === 'open';
        if (!isOpen) model.call(one.outcome);
        let calls = 0;
        const load = (): Promise<{ data: number; instance: string }> => {
          calls++;
          return one.outcome === 'ok'
            ? Promise.resolve({ data: one.data, instance: 'i' })
            : Promise.reject(errors[one.outcome]);
        };
        const key = one.kind === 'read' ? one.key : '';
        const result: unknown = await (
          one.kind === 'read' ? upstream.read(key, load, -1) : upstream.write(load)
        ).catch((error: unknown) => error);
        expect(calls).toBe(isOpen ? 0 : 1);
        expect(upstream.circuit.state).toBe(model.state);
        if (!isOpen && (one.outcome === 'missing' || one.outcome === 'abort')) {
          expect(result).toBe(errors[one.outcome]);
        } else if (!isOpen && one.outcome === 'ok') {
          if (one.kind === 'read') model.keep(key, one.data, clock.time);
          expect(result).toMatchObject({ data: one.data });
        } else {
          const code = isOpen ? 'ERR_CIRCUIT_OPEN' : 'ERR_UPSTREAM';
          if (one.kind === 'write') {
            expect(result).toMatchObject({ code, status: isOpen ? 503 : 502 });
            continue;
          }
          const kept = model.lastGood(key, clock.time);
          const expected = kept ? { ...kept, source: 'stale-cache' } : { data: -1, source: 'fallback' };
          expect(result).toMatchObject({ ...expected, degraded: true, reason: code });
        }
      }
    }),
  );
});
