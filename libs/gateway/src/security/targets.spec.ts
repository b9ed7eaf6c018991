import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { smallMesh, type SmallMesh } from '../testing/small-mesh.ts';
import { cleanUp, exchange, statusesOf } from '../testing/raw-http.ts';

let mesh: SmallMesh;
beforeAll(async () => {
  // The rule of an app around the gateway: nobody comes to the administration. It reads the path as the router does.
  mesh = await smallMesh((app) => {
    app.addHook('onRequest', (request, reply, done) => {
      if (request.url.startsWith('/api/admin-service')) void reply.code(403).send();
      else done();
    });
  });
});
afterAll(cleanUp);
beforeEach(() => {
  mesh.users.forget();
  mesh.admin.forget();
});

const get = (target: string, ...lines: string[]): Promise<string> =>
  exchange(mesh.port, [`GET ${target} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n'), { answers: 1 });

describe('no path leads to another service than it says (CVE-2021-21322, CVE-2025-66415, GHSA-c4j6-fc7j-m34r)', () => {
  test.each([
    '/users/../api/admin-service/x',
    '/users/%2e%2e/api/admin-service/x',
    '/users/.%2E/api/admin-service/x',
    '/users/%252e%252e/api/admin-service/x',
    '/users/..%2fapi/admin-service/x',
    '/users/..%5capi/admin-service/x',
    '/users/..\\api\\admin-service\\x',
    '/users/..;/api/admin-service/x',
    '/users/%2e%2e;a=b/api/admin-service/x',
    '/users/./../api/admin-service/x',
    '//api/admin-service/x',
    '/\\api/admin-service/x',
    '/%2fapi/admin-service/x',
    '/users%2f..%2f..%2fapi/admin-service/x',
    '/api//admin-service/x',
    '/api/user-service/../admin-service/x',
    '/api/user-service%2f..%2fadmin-service/x',
    '/api/%61dmin-service/x',
    '/api/ADMIN-SERVICE/x',
    '/api/admin-service%00/x',
    '/api/admin-service%20/x',
    '/users?/../../api/admin-service/x',
    '/users#/../../api/admin-service/x',
    '/users\x7f/../api/admin-service',
  ])('%s', async (target) => {
    const [status = 0] = statusesOf(await get(target));
    expect(mesh.admin.received).toBe('');
    for (const request of mesh.users.requests) {
      // What passes is what the client wrote, and an instance that resolves dots stays where it is.
      expect(target).toContain(request.target.replace(/^\/api\/user-service/, ''));
      const path = request.target.split('?')[0] ?? '';
      expect(new URL(request.target, 'http://a').pathname).toBe(path);
    }
    if (mesh.users.received === '') expect(status).toBeGreaterThanOrEqual(400);
  });
});

describe('no name leads out of the mesh (CVE-2021-21321, fast-proxy#42, CVE-2026-55602)', () => {
  test.each([
    '/api/127.0.0.1/x',
    '/api/127.0.0.1:22/x',
    '/api/localhost/x',
    '/api/localhost:3000/x',
    '/api/2130706433/x',
    '/api/0x7f000001/x',
    '/api/127.1/x',
    '/api/[::1]/x',
    '/api/%5b::1%5d/x',
    '/api/user-service:80/x',
    '/api/user-service@127.0.0.1/x',
    '/api/user-service%40127.0.0.1/x',
    '/api/evil.example/x',
    '/api/http:/x',
    '/api/http://127.0.0.1/x',
    '/api/__proto__/x',
    '/api/constructor/x',
    '/api/user-service\t/x',
    'http://127.0.0.1:22/users',
    'http://a@127.0.0.1/users',
    '//127.0.0.1/users',
  ])('%s', async (target) => {
    expect(statusesOf(await get(target))[0]).toBeGreaterThanOrEqual(400);
    expect(mesh.users.received + mesh.admin.received).toBe('');
  });

  test.each([
    'X-Forwarded-Host: 127.0.0.1:22',
    'X-Host: 127.0.0.1:22',
    'X-Original-URL: /api/admin-service/x',
    'X-Rewrite-URL: /api/admin-service/x',
    'X-HTTP-Method-Override: DELETE',
  ])('not by %s', async (line) => {
    expect(statusesOf(await get('/users', line))).toEqual([200]);
    expect(mesh.users.requests.map(({ method, target }) => `${method} ${target}`)).toEqual(['GET /users']);
    expect(mesh.admin.received).toBe('');
  });

  test('a Host of another server changes nothing of where it goes', async () => {
    await exchange(mesh.port, 'GET /users HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n', { answers: 1 });
    expect(mesh.users.requests).toHaveLength(1);
  });
});

test.each([
  '/users/a%2Eb',
  '/users/%7Ename',
  '/users/caf%C3%A9',
  '/users/a//b',
  '/users/a;b=c',
  '/users/?a=/../b&c=%2e%2e%2f',
  '/users/%25%32%65',
])('%s is passed on byte for byte', async (target) => {
  expect(statusesOf(await get(target))).toEqual([200]);
  expect(mesh.users.requests.map((request) => request.target)).toEqual([target]);
});
