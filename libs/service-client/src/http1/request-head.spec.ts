import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Readable } from 'node:stream';
import type { Body, TransportRequest } from '../transport.ts';
import { readBody } from './request-body.ts';
import { requestHead, type RequestHead } from './request-head.ts';

function headOf(asked: Partial<TransportRequest> & { body?: Body }): RequestHead {
  const request: TransportRequest = {
    method: 'GET',
    path: '/',
    query: undefined,
    headers: [],
    body: null,
    upgrade: undefined,
    headersTimeout: 0,
    bodyTimeout: 0,
    expectContinue: undefined,
    reset: undefined,
    blocking: undefined,
    ...asked,
  };
  return requestHead(request, readBody(request.body), 'shop:80');
}

const linesOf = (asked: Parameters<typeof headOf>[0]): string[] =>
  headOf(asked).text.split('\r\n').slice(0, -2);

describe('the head of a request', () => {
  test('fields keep order, case and duplicates', () => {
    const headers = ['X-B', '1', 'x-a', '', 'X-B', '2\xff'];
    expect(linesOf({ path: '/a?b=%2f', headers })).toEqual([
      'GET /a?b=%2f HTTP/1.1',
      'host: shop:80',
      'X-B: 1',
      'x-a: ',
      'X-B: 2\xff',
    ]);
  });

  test('the Host of the caller takes the place of the address', () => {
    expect(linesOf({ headers: ['Host', 'me'] })).toEqual(['GET / HTTP/1.1', 'host: me']);
  });

  test('one length, and chunks where there is none', () => {
    const length = (asked: Parameters<typeof headOf>[0]): string[] =>
      linesOf(asked).filter((line) => /^(content-length|transfer-encoding):/i.test(line));
    expect(length({})).toEqual([]);
    expect(length({ method: 'POST' })).toEqual(['content-length: 0']);
    expect(length({ headers: ['Content-Length', '0'] })).toEqual(['content-length: 0']);
    expect(length({ method: 'POST', body: 'é' })).toEqual(['content-length: 2']);
    expect(length({ method: 'POST', body: 'é', headers: ['content-length', '2'] })).toEqual([
      'content-length: 2',
    ]);
    const stream = Readable.from([]);
    expect(length({ method: 'POST', body: stream })).toEqual(['transfer-encoding: chunked']);
    expect(length({ method: 'POST', body: stream, headers: ['content-length', '7'] })).toEqual([
      'content-length: 7',
    ]);
  });

  test('a connection that is to be closed, or to speak something else', () => {
    expect(headOf({ reset: true })).toMatchObject({ isLast: true });
    expect(headOf({ headers: ['Connection', 'close'] })).toMatchObject({ isLast: true });
    // A body that a sloppy server sends with it would be taken for the next answer.
    expect(headOf({ method: 'HEAD' })).toMatchObject({ isLast: true });
    expect(headOf({ headers: ['connection', 'keep-alive'] })).toMatchObject({ isLast: false });
    expect(linesOf({ upgrade: 'websocket' })).toContain('upgrade: websocket');
  });

  test('a query becomes part of the target', () => {
    expect(linesOf({ query: { a: [1, 2], b: 'x y' } })[0]).toBe('GET /?a=1&a=2&b=x%20y HTTP/1.1');
    expect(() => headOf({ path: '/?c=1', query: { a: 1 } })).toThrow('path beside a query');
  });

  test.each([
    ['a blank in the path', { path: '/a b' }],
    ['a line break in the path', { path: '/a\r\nX: y' }],
    ['a path that is none', { path: 'http://other/' }],
    ['no path', { path: '' }],
    ['a path beyond latin1', { path: '/\u010a' }],
    ['a method that is none', { method: 'GET /' }],
    ['a name with a blank', { headers: ['X y', '1'] }],
    ['an empty name', { headers: ['', '1'] }],
    ['a line break in a value', { headers: ['x', 'a\r\nHost: evil'] }],
    ['NUL in a value', { headers: ['x', '\0'] }],
    ['a value that latin1 would make a line break of', { headers: ['x', '\u010a'] }],
    ['two hosts', { headers: ['host', 'a', 'Host', 'b'] }],
    ['two lengths in two cases', { headers: ['content-length', '0', 'Content-Length', '0'] }],
    ['a length that is none', { headers: ['content-length', '1e1'] }],
    ['framing of its own', { headers: ['transfer-encoding', 'chunked'] }],
    ['a protocol with a line break', { upgrade: 'x\r\ny: z' }],
    ['an upgrade by the way', { headers: ['upgrade', 'x'] }],
    ['other options of the connection', { headers: ['connection', 'x-secret'] }],
    ['an expectation', { headers: ['expect', '100-continue'] }],
  ])('%s is refused', (_, asked) => {
    expect(() => headOf(asked)).toThrow(expect.objectContaining({ code: 'UND_ERR_INVALID_ARG' }));
  });

  test('a length that is not that of the body is refused', () => {
    const code = 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH';
    for (const headers of [
      ['content-length', '3'],
      ['content-length', '1'],
    ]) {
      expect(() => headOf({ method: 'PUT', body: 'hi', headers })).toThrow(expect.objectContaining({ code }));
    }
    expect(() => headOf({ headers: ['content-length', '3'] })).toThrow(expect.objectContaining({ code }));
  });

  test('whatever is given, what is written is that and nothing else', () => {
    const wild = fc.string({
      unit: fc.constantFrom(...Array.from('aX:- \r\n\t\0\x80\u010a\u560d'), '\r\n', 'Host'),
      maxLength: 8,
    });
    let written = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(wild, wild), { maxLength: 4 }), wild, (pairs, path) => {
        let lines: string[];
        try {
          lines = linesOf({ path: `/${path}`, headers: pairs.flat() });
        } catch {
          return;
        }
        written++;
        const others = pairs.filter(([name]) => name.toLowerCase() !== 'host');
        expect(lines[0]).toBe(`GET /${path} HTTP/1.1`);
        expect(lines.slice(2)).toEqual(others.map(([name, value]) => `${name}: ${value}`));
      }),
      { numRuns: 2_000 },
    );
    expect(written).toBeGreaterThan(50);
  });
});
