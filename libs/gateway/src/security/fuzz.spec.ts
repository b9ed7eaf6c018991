import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { smallMesh, type SmallMesh } from '../testing/small-mesh.ts';
import { exchange, statusesOf, valuesOf } from '../testing/wire.ts';

let mesh: SmallMesh;
beforeAll(async () => {
  mesh = await smallMesh();
});
afterAll(() => mesh.close());

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const odd = fc.constantFrom(
  ...[
    '\r',
    '\n',
    '\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '%',
    '%2f',
    '%2e',
    '..',
    '/',
    '//',
    '\\',
    '?',
    '#',
    '@',
    '_',
    '0',
    '\x7f',
    '\xff',
  ],
);
const name = fc.oneof(
  fc.constantFrom(
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Host',
    'X-Forwarded-For',
    'X-Mesh-Hops',
    'Expect',
    'Upgrade',
    'TE',
    '__proto__',
  ),
  fc.string({ maxLength: 8 }),
);
const value = fc.oneof(
  fc.constantFrom(
    '0',
    '3',
    'chunked',
    'identity',
    'close',
    'keep-alive, x',
    'a',
    '100-continue',
    'websocket',
    'trailers',
  ),
  fc.string({ maxLength: 12 }),
);
const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'get', 'G ET'),
  target: fc.array(fc.oneof(fc.constantFrom('/users', '/api', '/user-service', '/admin-service', 'a'), odd), {
    maxLength: 6,
  }),
  version: fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', ''),
  fields: fc.array(fc.tuple(name, fc.constantFrom(': ', ':', ' : ', ''), value), { maxLength: 6 }),
  body: fc.constantFrom(
    '',
    '3\r\nabc\r\n0\r\n\r\n',
    'abc',
    '0\r\n\r\nGET /users/smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ),
  damage: fc.array(fc.tuple(fc.nat(400), fc.oneof(odd, byte)), { maxLength: 3 }),
});

function written({
  method,
  target,
  version,
  fields,
  body,
  damage,
}: typeof request extends fc.Arbitrary<infer R> ? R : never): string {
  const head = [
    `${method} ${target.join('')} ${version}`,
    'Host: a',
    ...fields.map((field) => field.join('')),
    '',
    '',
  ];
  return damage.reduce(
    (text, [at, what]) => text.slice(0, at) + what + text.slice(at),
    head.join('\r\n') + body,
  );
}

const ours = ['x-forwarded-for', 'via', 'traceparent', 'x-request-id'];

/**
 * Whatever a client writes, what an instance reads is plain: `requests` throws when its bytes are outside of the subset that every parser reads the same
 * way, and every request has exactly one of the fields by which it is judged.
 */
test('whatever is written to the gateway, an instance reads plain requests with one identity each', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (parts) => {
      mesh.users.forget();
      mesh.admin.forget();
      const text = await exchange(mesh.port, written(parts), { waitMs: 60 });
      for (const { headers, target } of [...mesh.users.requests, ...mesh.admin.requests]) {
        for (const one of ours) expect(valuesOf(headers, one)).toHaveLength(1);
        expect(valuesOf(headers, 'x-forwarded-for')).toEqual(['127.0.0.1']);
        expect(valuesOf(headers, 'host').length).toBeLessThanOrEqual(1);
        expect(target).toMatch(/^\/[^\s\\#]*$/);
        expect(target).not.toMatch(/^\/\//);
      }
      for (const status of statusesOf(text)) expect(status).not.toBe(500);
    }),
    { numRuns: 400 },
  );
  // It still serves.
  expect(statusesOf(await exchange(mesh.port, 'GET /users HTTP/1.1\r\nHost: a\r\n\r\n'))).toEqual([200]);
}, 120_000);
