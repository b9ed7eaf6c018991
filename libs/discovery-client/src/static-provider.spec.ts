/// <reference types="node" />
import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiscoveryClient } from './discovery-client.ts';
import { createDiscoveryClient } from './node/create-discovery-client.ts';
import { parseTable } from './static-provider.ts';
import { VirtualTime } from '@mesh/resilience/testing';
import { settle } from './testing/settle.ts';

afterEach(settle);

async function addresses(client: DiscoveryClient, name: string): Promise<string[]> {
  const { instances } = await client.resolve(name);
  return instances.map(({ host, port }) => `${host}:${port}`);
}

test('lists in the address itself, without Node', async () => {
  const client = new DiscoveryClient({
    serverUrl: 'static:user-service=10.0.0.1:4000,http://users.internal;order-service=[::1]:5000',
  });
  expect(await addresses(client, 'user-service')).toEqual(['10.0.0.1:4000', 'users.internal:80']);
  expect(await addresses(client, 'order-service')).toEqual(['::1:5000']);
  expect(await client.resolve('nobody')).toMatchObject({ source: 'static', instances: [] });
  expect(client.peek('user-service')?.source).toBe('static');
  await client.close();
});

test('registering where lists are written by hand changes nothing and works', async () => {
  const client = new DiscoveryClient({ serverUrl: 'static:' });
  await using registration = await client.register({ name: 'users', port: 4000, host: 'here' });
  expect(registration.instance).toMatchObject({ id: 'here:4000', name: 'users', metadata: {} });
  await registration.drain();
  expect((await client.resolve('users')).instances).toEqual([]);
  await client.close();
});

test('environment variables, as compose files set them', async () => {
  const environment = {
    USER_SERVICE_URL: 'http://user-service:3001',
    ORDER_SERVICE_URL: 'http://a:5000, http://b:5001',
    DATABASE_URL: 'postgres://db',
    NOT_SET_URL: undefined,
    user_url: 'http://lower:1',
  };
  const client = createDiscoveryClient({ serverUrl: 'static:env', environment });
  expect(await addresses(client, 'user-service')).toEqual(['user-service:3001']);
  expect(await addresses(client, 'order-service')).toEqual(['a:5000', 'b:5001']);
  expect(await addresses(client, 'database')).toEqual([]);
  await client.close();
  expect(() => createDiscoveryClient({ serverUrl: 'static:env' })).toThrow(/environment must be given/);
});

test('a file that is read again when it changed; one that is broken changes nothing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'static-'));
  const path = join(directory, 'services.json');
  const write = (value: unknown) => writeFile(path, JSON.stringify(value));
  const time = new VirtualTime();
  const client = createDiscoveryClient({
    serverUrl: `static:${path}`,
    clock: time,
    timers: time,
    random: () => 0.5,
  });
  const refreshed = async (holds: () => boolean): Promise<void> => {
    for (let turn = 0; turn < 200 && !holds(); turn++) {
      await time.advance(6000);
      client.peek('users');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await expect(client.resolve('users')).rejects.toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE' });
  await write({ users: ['10.0.0.1:4000', { host: '10.0.0.2', port: 4000, zone: 'b', weight: 2 }] });
  await time.advance(6000);
  expect(await addresses(client, 'users')).toEqual(['10.0.0.1:4000', '10.0.0.2:4000']);
  expect(client.peek('users', { zone: 'b' })?.instances).toMatchObject([{ id: '10.0.0.2:4000', weight: 2 }]);
  await write({ users: ['10.0.0.3:4000'] });
  await refreshed(() => client.peek('users')?.instances.length === 1);
  expect(client.peek('users')?.instances).toMatchObject([{ host: '10.0.0.3' }]);
  for (const broken of [[], { users: 'x' }, { users: [{ host: 'a' }] }, { 'Not A Name': [] }])
    await write(broken);
  await refreshed(() => client.peek('users')?.source === 'stale');
  expect(client.peek('users')?.instances).toMatchObject([{ host: '10.0.0.3' }]);
  await client.close();
  await rm(directory, { recursive: true });
});

test.each(['users', 'Users=a:1', 'users=a', 'users=a:0', 'users=a:99999', '=a:1'])(
  '%s is refused',
  (text) => {
    expect(() => new DiscoveryClient({ serverUrl: `static:${text}` })).toThrow(
      /must be name=host:port.*got /,
    );
  },
);

test('any text is a table or a RangeError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-c=:,;0-9\]["/.]{0,30}$/)), (text) => {
      try {
        for (const [name, instances] of parseTable(text)) {
          expect(name).toMatch(/^[a-z0-9-]+$/);
          for (const { port } of instances) expect(port > 0 && port <= 65_535).toBe(true);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
  );
});
