import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  appendChild,
  childTrace,
  readTrace,
  startTrace,
  traceHeaderNames,
  traceHeaders,
} from './trace-context.ts';
import type { TraceContext } from './trace-context.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const id = (length: number) => digits(length).filter((text) => !/^0+$/.test(text));
const trace: fc.Arbitrary<TraceContext> = fc.record(
  {
    traceId: id(32),
    spanId: id(16),
    parentSpanId: id(16),
    requestId: fc.stringMatching(/^[\x21-\x7e]{1,128}$/),
    sampled: fc.boolean(),
    traceState: fc.constantFrom('a=1', 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'),
  },
  { requiredKeys: ['traceId', 'spanId', 'requestId', 'sampled'] },
);

function expectWellFormed(read: TraceContext): void {
  expect(read.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(read.spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
  expect(read.parentSpanId ?? spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
  expect(read.requestId).toMatch(/^[\x21-\x7e]{1,128}$/);
  expect(read.traceState ?? '').toMatch(/^[\x20-\x7e]{0,512}$/);
}

describe('readTrace', () => {
  test('continues traceparent with an own span', () => {
    const read = readTrace({ traceparent, tracestate: 'a=1', 'x-request-id': 'r-1' });
    expect(read).toEqual({
      traceId,
      spanId: read.spanId,
      parentSpanId: spanId,
      sampled: true,
      traceState: 'a=1',
      requestId: 'r-1',
    });
    expect(read.spanId).not.toBe(spanId);
    expectWellFormed(read);
  });

  test('continues the plain headers when there is no valid traceparent', () => {
    const plain = { 'x-trace-id': traceId.toUpperCase(), 'x-span-id': spanId.toUpperCase() };
    expect(readTrace(plain)).toMatchObject({ traceId, parentSpanId: spanId, sampled: true });
    expect(readTrace({ ...plain, traceparent: `ff-${'a'.repeat(32)}-${spanId}-01` }).traceId).toBe(traceId);
    expect(readTrace({ 'x-trace-id': traceId })).not.toHaveProperty('parentSpanId');
  });

  test('traceparent wins over the plain headers', () => {
    const read = readTrace({ traceparent, 'x-trace-id': 'a'.repeat(32), 'x-span-id': 'b'.repeat(16) });
    expect(read).toMatchObject({ traceId, parentSpanId: spanId });
  });

  test('a plain id of another shape starts a new trace', () => {
    for (const other of ['trace-1', '0'.repeat(32), `${traceId}0`, '', `${traceId.slice(1)}\n`]) {
      const read = readTrace({ 'x-trace-id': other, 'x-span-id': spanId });
      expectWellFormed(read);
      expect(read.traceId).not.toBe(other);
      expect(read).not.toHaveProperty('parentSpanId');
    }
  });

  test('tracestate counts with a valid traceparent only, and may come in parts', () => {
    expect(readTrace({ tracestate: 'a=1', 'x-trace-id': traceId })).not.toHaveProperty('traceState');
    expect(readTrace({ traceparent, tracestate: ['a=1', 'b=2'] }).traceState).toBe('a=1,b=2');
    expect(readTrace({ traceparent, tracestate: 'malformed' })).toMatchObject({ traceId });
    expect(readTrace({ traceparent, tracestate: 'malformed' })).not.toHaveProperty('traceState');
  });

  test('a header given twice counts as absent', () => {
    expect(readTrace({ traceparent: [traceparent, traceparent] }).traceId).not.toBe(traceId);
    expect(readTrace({ traceparent: [traceparent] }).traceId).toBe(traceId);
    expect(readTrace({ 'x-request-id': ['a', 'b'] }).requestId).toMatch(/^[0-9a-f]{32}$/);
  });

  test('an unsafe request id is replaced', () => {
    expect(readTrace({ 'x-request-id': 'a'.repeat(128) }).requestId).toBe('a'.repeat(128));
    for (const unsafe of ['', 'a b', 'a\r\nset-cookie: x', 'ü', 'a'.repeat(129), 'a\n']) {
      expect(readTrace({ 'x-request-id': unsafe }).requestId).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  test('an unsampled trace stays unsampled', () => {
    const read = readTrace({ traceparent: `00-${traceId}-${spanId}-00` });
    expect(read.sampled).toBe(false);
    expect(traceHeaders(read)['traceparent']).toMatch(/-00$/);
  });

  test('whatever comes in, what comes out is well-formed', () => {
    const value = fc.option(
      fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.string()), fc.constant(traceparent)),
      {
        nil: undefined,
      },
    );
    const headers = fc.record({
      traceparent: value,
      tracestate: value,
      'x-request-id': value,
      'x-trace-id': value,
      'x-span-id': value,
    });
    fc.assert(
      fc.property(headers, (given) => {
        expectWellFormed(readTrace(given));
      }),
    );
  });
});

test('startTrace is a sampled root; two have nothing in common', () => {
  const [one, other] = [startTrace(), startTrace()];
  expectWellFormed(one);
  expect(one.sampled).toBe(true);
  expect(one).not.toHaveProperty('parentSpanId');
  expect(one.traceId).not.toBe(other.traceId);
  expect(one.spanId).not.toBe(other.spanId);
  expect(one.requestId).not.toBe(other.requestId);
});

test('childTrace keeps everything but the span', () => {
  fc.assert(
    fc.property(trace, (parent) => {
      const child = childTrace(parent);
      expect(child).toEqual({ ...parent, spanId: child.spanId, parentSpanId: parent.spanId });
      expect(child.spanId).not.toBe(parent.spanId);
    }),
  );
});

describe('traceHeaders', () => {
  test('names what W3C and the plain headers want', () => {
    const parentSpanId = 'b'.repeat(16);
    const given = { traceId, spanId, parentSpanId, requestId: 'r-1', sampled: true, traceState: 'a=1' };
    expect(traceHeaders(given)).toEqual({
      traceparent,
      tracestate: 'a=1',
      'x-request-id': 'r-1',
      'x-trace-id': traceId,
      'x-span-id': spanId,
      'x-parent-span-id': parentSpanId,
    });
    const root = traceHeaders({ traceId, spanId, requestId: 'r-1', sampled: true });
    expect(Object.keys(root).sort()).toEqual(['traceparent', 'x-request-id', 'x-span-id', 'x-trace-id']);
  });

  test('read by the callee they give a child of the caller', () => {
    fc.assert(
      fc.property(trace, (caller) => {
        const read = readTrace(traceHeaders(caller));
        expect(read).toEqual({ ...caller, spanId: read.spanId, parentSpanId: caller.spanId });
      }),
    );
  });

  test('the plain headers alone carry trace and span too', () => {
    fc.assert(
      fc.property(trace, (caller) => {
        expect(readTrace({ ...traceHeaders(caller), traceparent: undefined })).toMatchObject({
          traceId: caller.traceId,
          parentSpanId: caller.spanId,
        });
      }),
    );
  });
});

test('a child is appended as it would be written', () => {
  for (const parent of [startTrace(), { ...startTrace(), traceState: 'a=1', sampled: false }]) {
    const pairs = ['accept', '*/*'];
    const spanId = appendChild(pairs, parent);
    const child = { ...childTrace(parent), spanId };
    expect(pairs).toEqual(['accept', '*/*', ...sortedLike(pairs.slice(2), traceHeaders(child))]);
    expect(appendChild([], parent, 'f'.repeat(16))).toBe('f'.repeat(16));
  }
});

/** The headers in the order of `pairs`, which is of no meaning. */
function sortedLike(pairs: readonly string[], headers: Record<string, string>): string[] {
  const names = pairs.filter((_, at) => at % 2 === 0);
  expect([...names].sort()).toEqual(Object.keys(headers).sort());
  return names.flatMap((name) => [name, headers[name] ?? '']);
}

test('the names are those of the headers that can be written, no more and no less', () => {
  const written = traceHeaders({ ...childTrace(startTrace()), traceState: 'a=1' });
  expect([...traceHeaderNames].sort()).toEqual(Object.keys(written).sort());
});
