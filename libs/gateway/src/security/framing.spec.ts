import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { smallMesh, type SmallMesh } from '../testing/small-mesh.ts';
import { cleanUp, exchange, statusesOf } from '../testing/raw-http.ts';

let mesh: SmallMesh;
beforeAll(async () => {
  mesh = await smallMesh();
});
afterAll(cleanUp);
beforeEach(() => {
  mesh.users.forget();
});

const smuggled = 'GET /users/smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const targets = (): string[] => mesh.users.requests.map(({ target }) => target);

/**
 * Requests that two parsers may take for different things. Each ends in bytes that are a request of their own when the framing is read the other way:
 * none of them may reach an instance, and the first answer is a refusal.
 */
const ambiguous: readonly (readonly [string, string])[] = [
  ['CL.TE (CVE-2022-32213)', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  [
    'TE.CL (CVE-2019-15605)',
    `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${smuggled}\r\n0\r\n\r\n`,
  ],
  [
    'two Content-Length that differ',
    `Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  ],
  ['two Content-Length that agree', `Content-Length: 2\r\nContent-Length: 2\r\n\r\nab${smuggled}`],
  ['a list of Content-Length', `Content-Length: 0, ${smuggled.length}\r\n\r\n${smuggled}`],
  ['a Content-Length with a sign (CVE-2018-7159)', `Content-Length: +0\r\n\r\n${smuggled}`],
  ['a hexadecimal Content-Length', `Content-Length: 0x0\r\n\r\n${smuggled}`],
  [
    'a Content-Length with a blank inside (CVE-2018-7159)',
    `Content-Length: 0 ${smuggled.length}\r\n\r\n${smuggled}`,
  ],
  ['a Content-Length that overflows', `Content-Length: 18446744073709551616\r\n\r\n${smuggled}`],
  ['an empty Content-Length', `Content-Length:\r\n\r\n${smuggled}`],
  ['Transfer-Encoding identity', `Transfer-Encoding: identity\r\n\r\n${smuggled}`],
  ['Transfer-Encoding xchunked', `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`],
  [
    'chunked, but not last (CVE-2022-32215)',
    `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    'chunked twice (CVE-2020-8287)',
    `Transfer-Encoding: chunked\r\nTransfer-Encoding: eee\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  ['a blank before the colon (CVE-2019-15605)', `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  ['a blank before the colon of the length (CVE-2021-22959)', `Content-Length : 0\r\n\r\n${smuggled}`],
  ['a folded line (CVE-2022-32215)', `X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  ['a folded Transfer-Encoding', `Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  [
    'a bare LF in the head (CVE-2022-32214)',
    `X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  ['a bare CR in a value (CVE-2023-30589)', `X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  ['an empty line of CR alone', `X-A: b\r\r\n${smuggled}`],
  ['NUL in a value', `X-A: b\0c\r\n\r\n${smuggled}`],
  ['a control character in a name', `X-\x01A: b\r\n\r\n${smuggled}`],
  ['no name', `: b\r\n\r\n${smuggled}`],
  ['a line without a colon', `Transfer-Encoding chunked\r\n\r\n${smuggled}`],
  [
    'a chunk size that overflows (CVE-2020-8287)',
    `Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n${smuggled}`,
  ],
  ['a chunk size with a sign', `Transfer-Encoding: chunked\r\n\r\n-1\r\n${smuggled}`],
  ['a chunk size with 0x', `Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${smuggled}`],
  [
    'a chunk size that ends in LF alone (CVE-2022-35256)',
    `Transfer-Encoding: chunked\r\n\r\n0\n\n${smuggled}`,
  ],
  [
    'a chunk that is longer than it says (CVE-2021-22960)',
    `Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    'a chunk extension with LF inside (CVE-2025-22871)',
    `Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n${smuggled}`,
  ],
];

describe('a request with more than one reading is refused, and nothing of it goes on', () => {
  test.each(ambiguous)('%s', async (_, rest) => {
    const answer = await exchange(mesh.port, `POST /users HTTP/1.1\r\nHost: a\r\n${rest}`, {
      answers: 2,
      waitMs: 300,
    });
    expect(statusesOf(answer)[0]).toBeGreaterThanOrEqual(400);
    expect(statusesOf(answer)[0]).toBeLessThan(500);
    expect(targets()).not.toContain('/users/smuggled');
    expect(statusesOf(answer).every((status) => status >= 400)).toBe(true);
  });
});

describe('request lines', () => {
  test.each([
    ['HTTP/1.0 with chunks', 'POST /users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a version that is none', 'GET /users HTTP/1.9\r\nHost: a\r\n\r\n'],
    ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a blank in the target', 'GET /users /x HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a tab in place of a blank', 'GET\t/users HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['LF alone', 'GET /users HTTP/1.1\nHost: a\n\n'],
    ['no Host', 'GET /users HTTP/1.1\r\n\r\n'],
    ['two Host', 'GET /users HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a method that is none', 'FOO /users HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['CONNECT', 'CONNECT user-service:80 HTTP/1.1\r\nHost: user-service:80\r\n\r\n'],
    ['TRACE', 'TRACE /users HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['no slash', 'GET users HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an absolute target of another host', 'GET http://evil/users HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target with user info', 'GET http://a@evil/users HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['another scheme', 'GET ftp://a/users HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s is refused', async (_, request) => {
    const answer = await exchange(mesh.port, request, { answers: 1 });
    expect(statusesOf(answer).every((status) => status >= 400)).toBe(true);
    expect(mesh.users.received).toBe('');
  });
});

test('h2c is not spoken: the upgrade ends here, the request goes on as what it is', async () => {
  const head = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
  await exchange(mesh.port, `GET /users HTTP/1.1\r\nHost: a\r\n${head}\r\n`, { answers: 1 });
  const names = mesh.users.requests.flatMap(({ headers }) => headers.map(([name]) => name.toLowerCase()));
  expect(names).not.toContain('upgrade');
  expect(names).not.toContain('http2-settings');
});

test('what comes pipelined is answered in turn, each request once', async () => {
  const one = (path: string): string => `GET /users/${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const answer = await exchange(mesh.port, one('1') + one('2') + one('3'), { answers: 3 });
  expect(statusesOf(answer)).toEqual([200, 200, 200]);
  expect(targets().toSorted()).toEqual(['/users/1', '/users/2', '/users/3']);
});

test('a chunked body arrives as one body, with its extensions gone (CVE-2024-22019)', async () => {
  const body = '3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n';
  await exchange(mesh.port, `POST /users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`, {
    answers: 1,
  });
  expect(mesh.users.requests.map(({ body }) => body)).toEqual(['abcde']);
});

test('a chunk extension without an end is cut off', async () => {
  const head = 'POST /users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;';
  const answer = await exchange(mesh.port, head + 'a'.repeat(100_000), { answers: 1 });
  expect([400, 413]).toContain(statusesOf(answer)[0]);
});
