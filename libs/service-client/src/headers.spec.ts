import { describe, expect, test } from '@jest/globals';
import { startTrace } from '@mesh/trace-context';
import fc from 'fast-check';
import { hasHeader, replayableHeaders, traceOf, tracedHeaders } from './headers.ts';

const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function* pairs(): Generator<[string, string | string[] | undefined]> {
  yield ['x-a', '1'];
  yield ['x-b', ['2', '3']];
  yield ['x-c', undefined];
}

const strip = (headers: readonly string[], count: number): readonly string[] => headers.slice(0, count);

describe('tracedHeaders', () => {
  const trace = startTrace();
  const flat = ['x-a', '1', 'x-b', '2', 'x-b', '3'];

  test.each([
    ['an object', { 'x-a': '1', 'x-b': ['2', '3'], 'x-c': undefined }],
    ['flat pairs', [...flat]],
    ['an iterable', { [Symbol.iterator]: pairs }],
    [
      'a Map',
      new Map<string, string | string[]>([
        ['x-a', '1'],
        ['x-b', ['2', '3']],
      ]),
    ],
  ])('takes %s', (_, headers) => {
    expect(strip(tracedHeaders(headers, trace), 6)).toEqual(flat);
  });

  test('takes none', () => {
    expect(tracedHeaders(undefined, trace)).toEqual(tracedHeaders(null, trace));
    expect(tracedHeaders({}, trace)).toContain(trace.requestId);
  });

  test('numbers and null become text, anything else is refused by name', () => {
    expect(strip(tracedHeaders({ 'content-length': 3 }, trace), 2)).toEqual(['content-length', '3']);
    expect(() => tracedHeaders({ bad: {} } as never, trace)).toThrow('header bad must be text');
  });

  test('replaces trace headers of any case, so that none is sent twice', () => {
    const sent = tracedHeaders({ TraceParent: parent, 'X-Request-ID': 'mine', host: 'h' }, trace);
    const names = sent.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
    expect(sent).not.toContain(parent);
    expect(sent.slice(0, 2)).toEqual(['host', 'h']);
  });
});

describe('traceOf', () => {
  test('continues the trace in the headers', () => {
    const trace = traceOf({ Traceparent: parent, 'X-Request-ID': 'mine' });
    expect(trace).toMatchObject({
      traceId: parent.slice(3, 35),
      parentSpanId: '00f067aa0ba902b7',
      requestId: 'mine',
    });
  });

  test('starts one where there is none, or two', () => {
    expect(traceOf({ accept: '*/*' })).not.toHaveProperty('parentSpanId');
    expect(traceOf(['traceparent', parent, 'traceparent', parent]).traceId).not.toBe(parent.slice(3, 35));
  });
});

describe('replayableHeaders', () => {
  test('reads a one-time iterable once', () => {
    const once = pairs();
    const headers = replayableHeaders(once);
    expect(headers).toEqual(['x-a', '1', 'x-b', '2', 'x-b', '3']);
    expect(replayableHeaders(headers)).toBe(headers);
    const plain = { a: 'b' };
    expect(replayableHeaders(plain)).toBe(plain);
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
