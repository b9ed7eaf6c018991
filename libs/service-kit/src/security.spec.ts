import { afterEach, expect, test } from '@jest/globals';
import { z } from 'zod';
import { createApp } from './app.ts';
import type { App } from './app.ts';
import { readConfig, serviceSettings } from './config.ts';
import { identityOf } from './identity.ts';
import { guarded } from './security.ts';

const schema = z.object(serviceSettings);
const token = 'a-token-of-16-chars';
const started: App[] = [];

function guardedApp(env: Record<string, string> = {}): App {
  const config = readConfig(schema, { LOG_LEVEL: 'silent', ...env });
  const app = createApp({ identity: identityOf('note-service', 4000), config });
  app.post('/control', { onRequest: guarded(config) }, () => ({ done: true }));
  started.push(app);
  return app;
}

async function control(app: App, headers: Record<string, string>): Promise<[number, string | undefined]> {
  const response = await app.inject({ method: 'POST', url: '/control', headers });
  return [response.statusCode, response.json<{ code?: string }>().code];
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((app) => app.close()));
});

test('a control route serves this machine and refuses foreign hosts and pages', async () => {
  const app = guardedApp();
  expect(await control(app, { host: 'localhost:4000' })).toEqual([200, undefined]);
  expect(await control(app, { host: '127.0.0.1:4000', origin: 'http://127.0.0.1:4000' })).toEqual([
    200,
    undefined,
  ]);
  expect(await control(app, { host: 'rebound.example:4000' })).toEqual([403, 'ERR_FORBIDDEN']);
  expect(await control(app, { host: 'localhost:4000', origin: 'https://any.example' })).toEqual([
    403,
    'ERR_FORBIDDEN',
  ]);
});

test('origins that CORS_ORIGIN names may control, too', async () => {
  const app = guardedApp({ CORS_ORIGIN: 'https://shop.example' });
  expect(await control(app, { host: 'localhost', origin: 'https://shop.example' })).toEqual([200, undefined]);
  expect(await control(app, { host: 'localhost', origin: 'https://any.example' })).toEqual([
    403,
    'ERR_FORBIDDEN',
  ]);
});

test('a host on the network answers to its own names, to those who have the token', async () => {
  const app = guardedApp({ HOST: '10.1.2.3', ADVERTISED_HOST: 'fd00::7', MESH_TOKEN: token });
  const authorization = `Bearer ${token}`;
  expect(await control(app, { host: '10.1.2.3:4000', authorization })).toEqual([200, undefined]);
  expect(await control(app, { host: '[fd00::7]:4000', authorization })).toEqual([200, undefined]);
  expect(await control(app, { host: '10.1.2.3:4000' })).toEqual([401, 'ERR_UNAUTHORIZED']);
  expect(await control(app, { host: '10.1.2.4:4000', authorization })).toEqual([403, 'ERR_FORBIDDEN']);
});
