import assert from 'node:assert/strict';
import { linesOf, ok } from '../raw-http.ts';
import { hits, linesAmong, plain, type Probe } from './probe.ts';

const requestFields = ['X-b: 1', 'ACCEPT: a', 'x-A: 2', 'X-B: 3', 'Accept: b', 'X-b: 1'];
const answerFields = ['X-b: 1', 'Set-Cookie: a=1, x', 'x-A: 2', 'set-cookie: b=%20', 'X-B: 3'];
const paths = ['/x//y/', '/%7e/%E2%82%AC;v=1/:x/@', '/x?q=%2f..%5c//a?b&{}|"<>^`', '/...', '/x?'];
const oddPaths = ['/\\evil', '//evil/', '/x/../y', '/x/%2e%2E/y', '/x%2fy', '/x%5cy', '/%00'];

/** Header fields, paths and framing of what passes. */
export const fieldProbes: readonly Probe[] = [
  {
    name: 'fields that Connection names go no further',
    instance: ok,
    async holds({ up, ask }) {
      await ask('Connection: X-Gone', 'X-Gone: 1', 'X-Kept: 1');
      assert.deepEqual(linesOf(up.received(), 'x-gone'), []);
      assert.equal(linesOf(up.received(), 'x-kept').length, 1);
    },
  },
  {
    name: 'Proxy-Authorization, TE and the rest of the hop go no further',
    instance: ok,
    async holds({ up, ask }) {
      await ask('Proxy-Authorization: p', 'TE: gzip', 'Keep-Alive: 1', 'Proxy-Connection: x');
      assert.equal(hits(up.received(), 'GET'), 1);
      assert.doesNotMatch(up.received(), /^(proxy-|te:|keep-alive:)/im);
    },
  },
  {
    name: 'hop-by-hop fields of the instance go no further',
    instance:
      'HTTP/1.1 200 OK\r\nConnection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=99\r\nProxy-Authenticate: p\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n',
    async holds({ open }) {
      const answer = await (await open(plain)).until(/\r\n\r\n/);
      assert.match(answer, /^HTTP\/1\.1 200/);
      assert.doesNotMatch(answer, /x-gone|timeout=99|proxy-auth|h2c/i);
    },
  },
  {
    name: 'a forged X-Forwarded-For is not passed on alone',
    instance: ok,
    async holds({ up, ask }) {
      await ask('X-Forwarded-For: 6.6.6.6');
      const hops = linesOf(up.received(), 'x-forwarded-for')
        .join()
        .split(/[:,] ?/);
      assert.equal(hops.at(-1), '127.0.0.1');
    },
  },
  {
    name: 'request fields keep order, case and duplicates',
    instance: ok,
    async holds({ up, ask }) {
      await ask(...requestFields);
      assert.deepEqual(linesAmong(up.received(), requestFields), requestFields);
    },
  },
  {
    name: 'answer fields keep order, case and duplicates',
    instance: ['HTTP/1.1 200 OK', ...answerFields, 'Content-Length: 0', '', ''].join('\r\n'),
    async holds({ ask }) {
      assert.deepEqual(linesAmong(await ask(), answerFields), answerFields);
    },
  },
  {
    name: 'bytes above 0x7f in values pass both ways',
    instance: 'HTTP/1.1 200 OK\r\nX-Name: Gr\xfc\xdfe \x80\xff\r\nContent-Length: 0\r\n\r\n',
    async holds({ up, ask }) {
      assert.match(await ask('X-City: K\xf6ln \x80\xff'), /^X-Name: Gr\xfc\xdfe \x80\xff\r$/im);
      assert.match(up.received(), /^X-City: K\xf6ln \x80\xff\r$/im);
    },
  },
  {
    name: 'the bytes of a path arrive unchanged, or are refused',
    instance: ok,
    async holds({ up, exchange }) {
      for (const path of [...paths, ...oddPaths]) {
        const before = up.received().length;
        const request = `GET /items${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`;
        const isRefused = /^HTTP\/1\.1 40[034] /.test(await exchange(request));
        assert.ok(!isRefused || oddPaths.includes(path), `${path} is refused`);
        const [line = ''] = up.received().slice(before).split('\r\n');
        assert.equal(line, isRefused ? '' : `GET /items${path} HTTP/1.1`);
      }
    },
  },
  {
    name: 'a head of 24 KiB arrives',
    instance: `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(24 * 1024)}\r\nContent-Length: 2\r\n\r\nok`,
    async holds({ ask }) {
      assert.match(await ask(), /x{24576}\r\n[^]*ok$/);
    },
  },
  {
    name: 'a request with a length and chunks, or two lengths, is 400 and reaches nobody',
    instance: ok,
    async holds({ up, open }) {
      for (const framing of [
        'Content-Length: 5\r\nTransfer-Encoding: chunked',
        'Transfer-Encoding: chunked\r\ncontent-length: 5',
        'Content-Length: 5\r\ncontent-length: 6',
        'Transfer-Encoding: gzip, chunked',
        'Transfer-Encoding: chunked, identity',
        'Transfer-Encoding: xchunked',
      ]) {
        const { closed, socket } = await open(
          `POST /items HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n0\r\n\r\n`,
        );
        socket.end();
        // A coding that is not known may be a 501 as well (RFC 9112, 6.1).
        assert.match(await closed, /^HTTP\/1\.1 (400|501) /, framing);
        assert.equal(up.received(), '', framing);
      }
    },
  },
];
