import { describe, expect, test } from '@jest/globals';
import { traceHeaderNames } from '@mesh/trace-context';
import fc from 'fast-check';
import { hasHeader, readHeaders, timeLeftHeader } from './headers.ts';

const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function* pairs(): Generator<[string, string | string[] | undefined]> {
  yield ['x-a', '1'];
  yield ['x-b', ['2', '3']];
  yield ['x-c', undefined];
}

describe('readHeaders', () => {
  const flat = ['x-a', '1', 'x-b', '2', 'x-b', '3'];

  test.each([
    ['an object', { 'x-a': '1', 'x-b': ['2', '3'], 'x-c': undefined }],
    ['flat pairs', [...flat]],
    ['an iterable', { [Symbol.iterator]: pairs }],
    ['a one-time iterable', pairs()],
    [
      'a Map',
      new Map<string, string | string[]>([
        ['x-a', '1'],
        ['x-b', ['2', '3']],
      ]),
    ],
  ])('takes %s', (_, headers) => {
    expect(readHeaders(headers)).toEqual({ pairs: flat, trace: undefined, timeLeftMs: undefined });
  });

  test('takes none', () => {
    for (const none of [undefined, null, {}, []]) expect(readHeaders(none).pairs).toEqual([]);
  });

  test("a caller's array is used as it is and stays so", () => {
    const given = Object.freeze([...flat]) as string[];
    expect(readHeaders(given).pairs).toBe(given);
  });

  test('numbers and null become text, anything else is refused by name', () => {
    expect(readHeaders({ 'content-length': 3, empty: null } as never).pairs).toEqual([
      ...['content-length', '3'],
      ...['empty', ''],
    ]);
    expect(() => readHeaders({ bad: {} } as never)).toThrow('header bad must be text');
  });

  test('takes trace headers of any case out, so that none is sent twice, and continues their trace', () => {
    const { pairs, trace } = readHeaders({ TraceParent: parent, 'X-Request-ID': 'mine', host: 'h' });
    expect(pairs).toEqual(['host', 'h']);
    expect(trace).toMatchObject({
      traceId: parent.slice(3, 35),
      parentSpanId: '00f067aa0ba902b7',
      requestId: 'mine',
    });
  });

  test('two of them are as none', () => {
    expect(readHeaders(['traceparent', parent, 'traceparent', parent]).trace?.traceId).not.toBe(
      parent.slice(3, 35),
    );
  });

  test.each([
    ['250', 250],
    ['2147483647', 2 ** 31 - 1],
    ['0', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['2147483648', undefined],
    ['soon', undefined],
  ])('time left %s', (text, ms) => {
    expect(readHeaders(['X-Request-Timeout-Ms', text, 'a', 'b'])).toEqual({
      pairs: ['a', 'b'],
      trace: undefined,
      timeLeftMs: ms,
    });
  });

  test('whatever the headers are, what is not ours is kept in order', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[A-Za-z-]{1,20}$/),
      fc.constantFrom('traceparent', 'X-Trace-ID', 'x-span-id', 'User-Agent', 'X-Request-Timeout-MS'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.constantFrom('a', 'b'))), (given) => {
        const own = new Set([...traceHeaderNames, timeLeftHeader]);
        const kept = given.filter(([each]) => !own.has(each.toLowerCase())).flat();
        expect(readHeaders(given.flat()).pairs).toEqual(kept);
      }),
    );
  });
});

test('hasHeader ignores case', () => {
  fc.assert(
    fc.property(fc.constantFrom('accept', 'Accept', 'ACCEPT', 'aCCept'), (name) => {
      expect(hasHeader({ [name]: 'x' }, 'accept')).toBe(true);
      expect(hasHeader([name, 'x'], 'accept')).toBe(true);
      expect(hasHeader(['x', name], 'accept')).toBe(false);
    }),
  );
});
