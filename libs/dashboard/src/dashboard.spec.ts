import { afterEach, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dashboard } from './dashboard.ts';

let app: FastifyInstance | undefined;
let folder = '';

async function start(): Promise<FastifyInstance> {
  folder = mkdtempSync(join(tmpdir(), 'mesh-dashboard-'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Page</title>');
  writeFileSync(join(folder, 'page.js'), 'export {};');
  app = fastify();
  await app.register(dashboard, { folder });
  return app;
}

afterEach(async () => {
  await app?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('serves the page at / under a strict policy, its files under /page/ and the shared ones under /dashboard/', async () => {
  const server = await start();
  const page = await server.inject('/');
  expect(page.statusCode).toBe(200);
  expect(page.headers['content-type']).toMatch(/text\/html/);
  expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  expect(page.headers['content-security-policy']).not.toContain('unsafe');
  expect((await server.inject('/page/page.js')).statusCode).toBe(200);
  expect((await server.inject('/dashboard/dashboard.css')).headers['content-type']).toMatch(/text\/css/);
  expect((await server.inject('/dashboard/dashboard.js')).statusCode).toBe(200);
});

test.each([
  '/page/../../package.json',
  '/page/%2e%2e/%2e%2e/etc/passwd',
  '/dashboard/..%2fsrc/dashboard.ts',
  '/page/',
])('gives nothing outside its folders: %s', async (path) => {
  const server = await start();
  expect((await server.inject(path)).statusCode).toBeGreaterThanOrEqual(400);
});
