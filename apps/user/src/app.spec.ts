import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { identityOf, readConfig } from '@mesh/service-kit';
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';
import { userConfig } from './config.ts';

let app: FastifyInstance;

beforeEach(async () => {
  const config = readConfig(userConfig, { DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' });
  app = await buildApp(config, { identity: identityOf('user-service', 4000) });
});
afterEach(() => app.close());

const ada = { name: 'Ada', email: 'Ada@Example.com', age: 36 };

test('comes with three people', async () => {
  const answer = await app.inject('/users');
  expect(answer.json()).toMatchObject({
    users: [{ id: 1, name: 'John Doe', email: 'john@example.com', age: 30 }, { id: 2 }, { id: 3 }],
    meta: { instance: 'user-service-4000', total: 3, limit: 100, offset: 0 },
  });
  expect(answer.headers['x-instance']).toBe('user-service-4000');
});

test('lists by ids and by page', async () => {
  const ids = async (query: string): Promise<number[]> =>
    (await app.inject(`/users?${query}`)).json<{ users: { id: number }[] }>().users.map(({ id }) => id);
  expect(await ids('ids=3,1,77')).toEqual([1, 3]);
  expect(await ids('limit=1&offset=1')).toEqual([2]);
});

test('creates, reads, changes and deletes; /api/users is the same', async () => {
  const created = await app.inject({ method: 'POST', url: '/api/users', payload: ada });
  expect([created.statusCode, created.headers.location]).toEqual([201, '/api/users/4']);
  expect(created.json()).toMatchObject({ user: { id: 4, email: 'ada@example.com' } });
  const patched = await app.inject({ method: 'PATCH', url: '/users/4', payload: { age: 37 } });
  expect(patched.json()).toMatchObject({ user: { id: 4, name: 'Ada', age: 37 } });
  const replaced = await app.inject({ method: 'PUT', url: '/users/4', payload: { ...ada, name: 'Ada L' } });
  expect(replaced.json()).toMatchObject({ user: { id: 4, name: 'Ada L', age: 36 } });
  expect((await app.inject({ method: 'DELETE', url: '/users/4' })).statusCode).toBe(204);
  expect((await app.inject('/users/4')).json()).toMatchObject({ status: 404, code: 'ERR_USER_UNKNOWN' });
});

test('an email belongs to one person, whatever its case', async () => {
  const taken = await app.inject({
    method: 'POST',
    url: '/users',
    payload: { ...ada, email: 'JOHN@example.com' },
  });
  expect(taken.json()).toMatchObject({ status: 409, code: 'ERR_EMAIL_TAKEN' });
  const changed = await app.inject({
    method: 'PATCH',
    url: '/users/2',
    payload: { email: 'john@example.com' },
  });
  expect(changed.statusCode).toBe(409);
});

test('a list of 200 ids fits, whatever their length', async () => {
  const ids = Array.from({ length: 200 }, (_, index) => 2 ** 31 - 1 - index).join(',');
  const answer = await app.inject(`/users?ids=${ids}`);
  expect([answer.statusCode, answer.json()]).toMatchObject([200, { users: [], meta: { total: 0 } }]);
});
