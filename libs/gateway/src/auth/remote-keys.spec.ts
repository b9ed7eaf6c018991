import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { SignJWT } from 'jose';
import type { RemoteKeysOptions } from './remote-keys.ts';
import { JwtVerifier } from './jwt-verifier.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const pairs = Array.from({ length: 3 }, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const jwkOf = (at: number): object => ({
  ...pairs[at]!.publicKey.export({ format: 'jwk' }),
  kid: `key-${at}`,
  alg: 'ES256',
  use: 'sig',
});

/** A key server that can change its keys and fail, and the verifier that asks it, in virtual time. */
async function keyServer(options: RemoteKeysOptions = {}) {
  const time = new VirtualTime();
  const server = {
    keys: [jwkOf(0)] as object[],
    paths: [] as string[],
    errors: [] as unknown[],
    answer: undefined as RequestListener | undefined,
  };
  const http = createServer((request, response) => {
    server.paths.push(request.url ?? '');
    if (server.answer !== undefined) server.answer(request, response);
    else response.end(JSON.stringify({ keys: server.keys }));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    http.closeAllConnections();
    return new Promise((resolve) => http.close(resolve));
  });
  const { port } = http.address() as AddressInfo;
  const verifier = new JwtVerifier({
    keys: {
      jwksUrl: `http://127.0.0.1:${port}/jwks`,
      onError: (error) => server.errors.push(error),
      ...options,
    },
    issuer: false,
    audience: false,
    clock: time.wallClock,
  });
  let serial = 0;
  const token = (at: number, kid: string | undefined = `key-${at}`, key: KeyObject = pairs[at]!.privateKey) =>
    new SignJWT({ sub: 'ada', n: serial++ })
      .setProtectedHeader({ alg: 'ES256', ...(kid !== '' && { kid }) })
      .setExpirationTime(Math.floor(time.wallClock.now() / 1000) + 3_600)
      .sign(key);
  return {
    time,
    server,
    verifier,
    token,
    check: async (...of: Parameters<typeof token>) => verifier.check(await token(...of)),
  };
}

const ada = expect.objectContaining({ subject: 'ada' });
const fail: RequestListener = (_request, response) => response.writeHead(500).end();

test('is fetched when first needed, once for all who wait', async () => {
  const { server, check } = await keyServer();
  expect(server.paths).toEqual([]);
  expect(await Promise.all(Array.from({ length: 10 }, () => check(0)))).toEqual(Array(10).fill(ada));
  expect(server.paths).toEqual(['/jwks']);
});

test('a new key is picked up when a token names it', async () => {
  const { time, server, check } = await keyServer();
  expect(await check(0)).toEqual(ada);
  server.keys = [jwkOf(0), jwkOf(1)];
  time.advanceSync(30_000);
  expect(await check(1)).toEqual(ada);
  expect(server.paths.length).toBe(2);
});

test('a flood of unknown kids is one fetch in a cooldown, known keys serve on', async () => {
  const { time, server, check } = await keyServer();
  expect(await check(0)).toEqual(ada);
  time.advanceSync(30_000);
  for (let round = 0; round < 3; round++) {
    const flood = Array.from({ length: 30 }, (_, at) => check(1, `made-up-${round}-${at}`));
    expect(await Promise.all(flood)).toEqual(Array(30).fill('invalid'));
  }
  expect(server.paths.length).toBe(2);
  expect(await check(0)).toEqual(ada);
});

test('a kid never becomes part of an address', async () => {
  const { time, server, check } = await keyServer();
  for (const kid of ['../admin', '/etc/passwd', 'http://127.0.0.1:1/', '?x=1']) {
    time.advanceSync(30_000);
    expect(await check(1, kid)).toBe('invalid');
  }
  expect(new Set(server.paths)).toEqual(new Set(['/jwks']));
});

test('a key that was taken away is forgotten with all it had verified', async () => {
  const { time, server, verifier, token, check } = await keyServer({ refreshMs: 60_000 });
  const old = await token(0);
  expect(await verifier.check(old)).toEqual(ada);
  server.keys = [jwkOf(1)];
  time.advanceSync(60_000);
  expect(verifier.check(old)).toEqual(ada); // known: no look at the keys
  expect(await check(1)).toEqual(ada); // a new kid: the set is read again
  expect(verifier.size).toBe(0);
  expect(await verifier.check(old)).toBe('invalid');
});

test('the set is read again in the background; nobody waits for it', async () => {
  const { time, server, verifier, token, check } = await keyServer({ refreshMs: 60_000 });
  const old = await token(0);
  expect(await verifier.check(old)).toEqual(ada);
  server.keys = [jwkOf(1)];
  time.advanceSync(60_000);
  let seen: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (seen = resolve));
  server.answer = (_request, response) => {
    seen();
    setImmediate(() => response.end(JSON.stringify({ keys: server.keys })));
  };
  expect(await check(0)).toEqual(ada);
  await asked;
  // The answer travels on a real socket: ask until it has been noticed.
  for (let turn = 0; turn < 100_000 && (await verifier.check(old)) !== 'invalid'; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await verifier.check(old)).toBe('invalid');
  expect(server.paths.length).toBe(2);
});

describe('while the set cannot be read', () => {
  test('known keys serve, for as long as it takes', async () => {
    const { time, server, check } = await keyServer({ refreshMs: 60_000 });
    expect(await check(0)).toEqual(ada);
    server.answer = fail;
    for (let hour = 0; hour < 5; hour++) {
      time.advanceSync(3_600_000);
      expect(await check(0)).toEqual(ada);
      expect(await check(1)).toBe('invalid');
    }
  });

  test('without a key it is nobody’s fault: unavailable, and one fetch in a cooldown', async () => {
    const { time, server, check } = await keyServer();
    server.answer = fail;
    for (let at = 0; at < 10; at++) expect(await check(0)).toBe('unavailable');
    expect(server.paths.length).toBe(1);
    expect(server.errors).toEqual([
      expect.objectContaining({ message: 'the key set was answered with 500' }),
    ]);
    server.answer = undefined;
    time.advanceSync(30_000);
    expect(await check(0)).toEqual(ada);
  });

  test.each<[string, RequestListener]>([
    ['no JSON', (_request, response) => response.end('<html>')],
    ['no set', (_request, response) => response.end('{"keys":7}')],
    ['too large', (_request, response) => response.end(`{"keys":[],"pad":"${'x'.repeat(300_000)}"}`)],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    [
      'broken off',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 9 }).write('{', () => response.destroy());
      },
    ],
    ['closed', (request) => request.socket.destroy()],
    ['silent', () => undefined],
  ])('%s', async (_name, answer) => {
    const { server, check } = await keyServer({ timeoutMs: 1_000 });
    server.answer = answer;
    expect(await check(0)).toBe('unavailable');
    expect(server.errors.length).toBe(1);
    expect(server.paths).toEqual(['/jwks']);
  });

  test('who is told of it cannot break a request', async () => {
    const { server, check } = await keyServer({
      onError: () => {
        throw new Error('no log');
      },
    });
    server.answer = fail;
    expect(await check(0)).toBe('unavailable');
  });
});

test('without a kid there must be one key only', async () => {
  const { server, check } = await keyServer();
  expect(await check(0, '')).toEqual(ada);
  const other = await keyServer();
  other.server.keys = [jwkOf(0), jwkOf(1)];
  expect(await other.check(0, '')).toBe('invalid');
  expect(server.paths.length).toBe(1);
});

test('a symmetric key in the set opens nothing', async () => {
  const { server, verifier } = await keyServer();
  server.keys = [{ kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), kid: 's' }];
  const forged = await new SignJWT({ sub: 'ada' })
    .setProtectedHeader({ alg: 'HS256', kid: 's' })
    .setExpirationTime('1h')
    .sign(Buffer.alloc(32, 1));
  expect(await verifier.check(forged)).toBe('invalid');
});
