/** The research ran the 31 probes against thirteen proxies; none passed all of them. What others do now: `npm run bench -- gateway-probes`. */
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  answering,
  cleanUp,
  client,
  exchange,
  gateway,
  get,
  linesOf,
  meshClient,
  ok,
} from '../testing/raw-http.ts';
import { hits, runProbe, startGateway } from '../testing/probes/probe.ts';
import { probes } from '../testing/probes/probes.ts';

afterEach(cleanUp);

describe('the probes', () => {
  test('are 31', () => {
    expect(new Set(probes.map(({ name }) => name)).size).toBe(31);
  });

  test.each(probes.map((probe) => [probe.name, probe] as const))(
    '%s',
    (_name, probe) => runProbe(probe, startGateway, 20_000),
    25_000,
  );
});

/** What is a matter of taste elsewhere. */
describe('beyond the probes', () => {
  test('Connection cannot take Authorization away', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    await exchange(port, get('/api/a/x', 'Connection: Authorization', 'Authorization: b', 'Trailer: y'));
    expect(linesOf(up.received(), 'authorization')).toEqual(['Authorization: b']);
    expect(linesOf(up.received(), 'trailer')).toEqual([]);
  });

  test('a forged X-Forwarded-For is not passed on at all', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    await exchange(port, get('/api/a/x', 'X-Forwarded-For: 6.6.6.6'));
    expect(linesOf(up.received(), 'x-forwarded-for')).toEqual(['x-forwarded-for: 127.0.0.1']);
  });

  test('a GET that gets 503 hits the instance as often as the client may retry', async () => {
    const up = await answering('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
    const port = await gateway({}, { client: meshClient({ a: up.port }, { retry: { maxRetries: 1 } }) });
    expect(await exchange(port, get('/api/a/x'))).toMatch(/^HTTP\/1\.1 503 Busy/);
    expect(hits(up.received(), 'GET')).toBe(2);
  });

  test('trailers keep case and duplicates, without fields that do not belong there', async () => {
    const up = await answering(
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: \xfc1\r\nx-sum: 2\r\nSet-Cookie: no\r\n\r\n',
    );
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/x', 'TE: trailers'));
    expect(linesOf(answer, 'trailer')).toEqual(['Trailer: X-Sum']);
    expect(answer).toMatch(/\r\n2\r\nok\r\n0\r\nX-Sum: \xfc1\r\nx-sum: 2\r\n\r\n$/);
    expect(linesOf(up.received(), 'te')).toEqual(['te: trailers']);
  });

  test('102 and 103 arrive as they are', async () => {
    const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b>\r\n\r\n';
    const up = await answering(`HTTP/1.1 102 Wait\r\n\r\n${hint}`);
    const port = await gateway({ a: up.port });
    const { until } = await client(port, get('/api/a/x'));
    expect(await until(/103[^]*\r\n\r\n$/)).toMatch(
      /^HTTP\/1\.1 102 [^\r]*\r\n\r\nHTTP\/1\.1 103 [^\r]*\r\nLink: <\/a\.css>; rel=preload\r\nlink: <\/b>\r\n\r\n$/,
    );
    up.connections[0]?.write(ok);
    await until(/\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*ok$/);
  });

  test('the head of a stream comes without the first event', async () => {
    const up = await answering('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
    const port = await gateway({ a: up.port });
    const { until } = await client(port, get('/api/a/x'));
    expect(await until(/\r\n\r\n$/)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('Expect ends here: 100 comes from the gateway, and not before a refusal', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port }, { bodyLimit: 10 });
    const expecting = (service: string, length: number) =>
      `POST /api/${service}/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    const { socket, until } = await client(port, expecting('a', 2));
    expect(await until(/\r\n\r\n$/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('hi');
    await until(/100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*ok$/);
    expect(up.received()).toMatch(/^POST [^]*hi$/);
    expect(up.received()).not.toMatch(/expect/i);
    expect(await exchange(port, expecting('a', 11))).toMatch(/^HTTP\/1.1 413 /);
    expect(await exchange(port, expecting('none', 2))).toMatch(/^HTTP\/1.1 404 /);
  });

  test.each(['/\\evil', '//evil/', '/x/../y', '/x/%2e%2E/y', '/x%2fy', '/x%5cy', '/%00'])(
    'a path with two readings is 400: %s',
    async (path) => {
      const up = await answering(ok);
      const port = await gateway({ a: up.port });
      expect(await exchange(port, get(`/api/a${path}`))).toMatch(/^HTTP\/1\.1 400 /);
      expect(up.received()).toBe('');
    },
  );
});

/** What the HTTP client below cannot do; another transport may. */
describe('what instances are told and say beside the answer', () => {
  test('trailers of a request travel, but for those that route or frame it', async () => {
    const up = await answering(ok);
    const port = await gateway({ a: up.port });
    const chunked = get('/api/a/x', 'Transfer-Encoding: chunked', 'Trailer: X-Sum').replace('GET', 'POST');
    const trailers = 'X-Sum: 1\r\nHost: evil\r\nX-Forwarded-For: 1.1.1.1\r\n';
    expect(await exchange(port, `${chunked}2\r\nhi\r\n0\r\n${trailers}\r\n`)).toMatch(/ok$/);
    expect(up.received()).toMatch(/\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  });

  test('a 100 that nobody asked for is no answer and no harm', async () => {
    const up = await answering(`HTTP/1.1 100 Continue\r\n\r\n${ok}`);
    const port = await gateway({ a: up.port });
    const answer = await exchange(port, get('/api/a/x'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toContain('100 Continue');
  });
});
