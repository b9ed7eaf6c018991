import { expect, test } from '@jest/globals';
import { requestGuard, type RequestGuard } from '@mesh/request-guard';
import { z } from 'zod';
import { readConfig, serviceSettings } from './config.ts';
import { guardOptions } from './security.ts';

const schema = z.object(serviceSettings);
const token = 'a-token-of-16-chars';

const guardWith = (env: Record<string, string> = {}): RequestGuard =>
  requestGuard(guardOptions(readConfig(schema, env)));

const refusal = (guard: RequestGuard, headers: Record<string, string>): string | undefined =>
  guard({ method: 'POST', headers })?.code;

test('a control route serves this machine and refuses foreign hosts and pages', () => {
  const guard = guardWith();
  expect(refusal(guard, { host: 'localhost:4000' })).toBe(undefined);
  expect(refusal(guard, { host: '127.0.0.1:4000', origin: 'http://127.0.0.1:4000' })).toBe(undefined);
  expect(refusal(guard, { host: 'rebound.example:4000' })).toBe('ERR_FORBIDDEN');
  expect(refusal(guard, { host: 'localhost:4000', origin: 'https://any.example' })).toBe('ERR_FORBIDDEN');
});

test('origins that CORS_ORIGIN names may control, too', () => {
  const guard = guardWith({ CORS_ORIGIN: 'https://shop.example' });
  expect(refusal(guard, { host: 'localhost', origin: 'https://shop.example' })).toBe(undefined);
  expect(refusal(guard, { host: 'localhost', origin: 'https://any.example' })).toBe('ERR_FORBIDDEN');
});

test('a host on the network answers to its own names, to those who have the token', () => {
  const guard = guardWith({ HOST: '10.1.2.3', ADVERTISED_HOST: 'fd00::7', MESH_TOKEN: token });
  const authorization = `Bearer ${token}`;
  expect(refusal(guard, { host: '10.1.2.3:4000', authorization })).toBe(undefined);
  expect(refusal(guard, { host: '[fd00::7]:4000', authorization })).toBe(undefined);
  expect(refusal(guard, { host: '10.1.2.3:4000' })).toBe('ERR_UNAUTHORIZED');
  expect(refusal(guard, { host: '10.1.2.4:4000', authorization })).toBe('ERR_FORBIDDEN');
});
