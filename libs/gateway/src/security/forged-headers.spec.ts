import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { smallMesh, type SmallMesh } from '../testing/small-mesh.ts';
import { cleanUp, exchange, statusesOf } from '../testing/raw-http.ts';
import { valuesOf } from '../testing/wire-request.ts';

let mesh: SmallMesh;
beforeAll(async () => {
  mesh = await smallMesh();
});
afterAll(cleanUp);
beforeEach(() => {
  mesh.users.forget();
});

/** What an instance gets of a request with these header lines. */
async function arrived(...lines: string[]): Promise<(name: string) => string[]> {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: a'];
  await exchange(mesh.port, ['GET /users HTTP/1.1', ...host, ...lines, '', ''].join('\r\n'), { answers: 1 });
  const [request] = mesh.users.requests;
  if (request === undefined) throw new Error('nothing arrived');
  return (name) => valuesOf(request.headers, name);
}

describe('Connection cannot take away what an instance decides by (CVE-2026-33805, CVE-2024-45410)', () => {
  test.each([
    ['authorization', 'Authorization: Bearer x'],
    ['cookie', 'Cookie: a=b'],
    ['origin', 'Origin: http://evil'],
    ['content-type', 'Content-Type: text/plain'],
    ['x-forwarded-for', ''],
    ['x-forwarded-host', ''],
    ['traceparent', ''],
    ['via', ''],
  ])('%s', async (name, line) => {
    const values = await arrived(`Connection: close, ${name}`, ...(line === '' ? [] : [line]));
    expect(values(name)).toHaveLength(1);
    expect(values('host')).toEqual(['a']);
  });

  test('what it may take away ends here, whatever its case and wherever it stands', async () => {
    const values = await arrived(
      'X-One: 1',
      'CONNECTION: x-one ,\tX-TWO',
      'x-two: 2',
      'Connection: X-Three',
      'X-Three: 3',
    );
    for (const name of ['x-one', 'x-two', 'x-three']) expect(values(name)).toEqual([]);
  });

  test('ten thousand names are no work', async () => {
    const names = Array.from({ length: 1500 }, (_, at) => `x${at}`).join(',');
    const values = await arrived(`Connection: ${names}`, 'X-Last: 1');
    expect(values('x-last')).toEqual(['1']);
  });
});

describe('a client cannot say who it is (CVE-2026-3635, CVE-2025-41235, CVE-2022-24112)', () => {
  test.each([
    ['x-forwarded-for', 'X-Forwarded-For: 10.0.0.1', ['127.0.0.1']],
    ['x-forwarded-proto', 'X-Forwarded-Proto: https', ['http']],
    ['x-forwarded-host', 'X-Forwarded-Host: evil', ['a']],
    ['x-forwarded-prefix', 'X-Forwarded-Prefix: /admin', []],
    ['x-real-ip', 'X-Real-IP: 10.0.0.1', []],
    ['forwarded', 'Forwarded: for=10.0.0.1', []],
    ['x-instance', 'X-Instance: me', []],
    ['x-mesh-identity', 'X-Mesh-Identity: root', []],
    ['x-mesh-hops', 'X-Mesh-Hops: 0', []],
    ['x_forwarded_for', 'X_Forwarded_For: 10.0.0.1', []],
    ['x_mesh_identity', 'x_mesh_identity: root', []],
    ['x-mesh_identity', 'x-mesh_identity: root', []],
  ])('%s', async (name, line, seen) => {
    const values = await arrived(line, line.toUpperCase());
    expect(values(name)).toEqual(seen);
  });
});

describe('names that are more than names (CVE-2026-21710)', () => {
  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])('%s', async (name) => {
    const values = await arrived(`${name}: x`, `${name}: y`, 'X-Last: 1');
    expect(values('x-last')).toEqual(['1']);
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
    expect(
      statusesOf(await exchange(mesh.port, 'GET /users HTTP/1.1\r\nHost: a\r\n\r\n', { answers: 1 })),
    ).toEqual([200]);
  });
});

describe('too much of it', () => {
  test('a head of more than 16 KiB is 431', async () => {
    const answer = await exchange(
      mesh.port,
      `GET /users HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
      { answers: 1 },
    );
    expect(statusesOf(answer)).toEqual([431]);
    expect(mesh.users.received).toBe('');
  });

  test('thousands of fields are cut or refused, none of ours is lost', async () => {
    const lines = Array.from({ length: 3000 }, (_, at) => `a${at}:`).join('\r\n');
    const answer = await exchange(mesh.port, `GET /users HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`, {
      answers: 1,
    });
    const [request] = mesh.users.requests;
    if (request === undefined) expect(statusesOf(answer)[0]).toBeGreaterThanOrEqual(400);
    else expect(valuesOf(request.headers, 'x-forwarded-for')).toEqual(['127.0.0.1']);
  });
});

test('bytes above 0x7f, which end other proxies, pass as they are (fast-proxy)', async () => {
  const values = await arrived('X-Latin: \xe9\xff\x80');
  expect(values('x-latin')).toEqual(['\xe9\xff\x80']);
});
