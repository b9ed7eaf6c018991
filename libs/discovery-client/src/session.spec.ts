import { afterEach, expect, test } from '@jest/globals';
import type { Fixture } from './testing/client-fixture.ts';
import { fixture } from './testing/client-fixture.ts';
import type { DiscoveryClientOptions } from './discovery-client-options.ts';
import type { SeenSession } from './testing/fake-registry.ts';
import { json } from './testing/fake-registry.ts';
import { settle } from './testing/settle.ts';

afterEach(settle);

const users = { name: 'users', port: 4000, heartbeatInterval: 5 } as const;

async function registered(options: DiscoveryClientOptions = {}): Promise<Fixture> {
  const all = fixture({ watch: false, ...options });
  all.registry.offersSessions = true;
  await all.client.register(users);
  await settle();
  return all;
}

function session({ registry }: Fixture): SeenSession {
  const [first] = registry.sessions;
  if (first === undefined) throw new Error('no session is open');
  return first;
}

test('a registration holds one session, which says who it is; the goodbye comes before its end', async () => {
  const all = await registered();
  const { registry, client } = all;
  const { incarnation } = registry.list('users')[0]!;
  expect(registry.calls('POST /session').map(({ body }) => body)).toEqual([
    { ...users, id: '127.0.0.1:4000', host: '127.0.0.1', incarnation },
  ]);
  expect(all.of('session-open')).toHaveLength(1);
  let openAtGoodbye: number | undefined;
  registry.intercept = ({ method }) => {
    if (method === 'DELETE') openAtGoodbye = registry.sessions.size;
    return undefined;
  };
  await client.close();
  expect(openAtGoodbye).toBe(1);
  await settle();
  expect(registry.sessions.size).toBe(0);
  expect(all.time.pending).toBe(0);
});

test('heartbeats go on beside the session', async () => {
  const { registry, time, client } = await registered();
  await time.advance(20_000);
  expect(registry.calls('POST /heartbeat')).toHaveLength(4);
  await client.close();
});

test('a session that breaks is opened again within half a second', async () => {
  const all = await registered({ random: () => 0.999 });
  session(all).cut();
  await all.time.advance(500);
  expect(all.registry.calls('POST /session')).toHaveLength(2);
  expect(all.of('session-lost')).toHaveLength(1);
  expect(all.of('registered')).toHaveLength(1);
  await all.client.close();
});

test('25 s without a ping are the end of a session', async () => {
  const all = await registered();
  await all.time.advance(26_000);
  expect(all.registry.calls('POST /session')).toHaveLength(2);
  expect(all.registry.sessions.size).toBe(1);
  await all.client.close();
});

test('a registry that removed the instance is told again by whoever holds the session, without waiting for a beat', async () => {
  const all = await registered();
  all.registry.remove('users', '127.0.0.1:4000');
  session(all).close('removed');
  await all.time.advance(250);
  expect(all.registry.list('users')).toHaveLength(1);
  await all.time.advance(500);
  expect(all.registry.sessions.size).toBe(1);
  await all.client.close();
});

test('a successor ends the session and the registration, and no fight begins', async () => {
  const all = await registered();
  const known = all.registry.list('users')[0]!;
  all.registry.upsert({ ...known, incarnation: 'another' });
  session(all).close('replaced');
  await all.time.advance(60_000);
  expect(all.of('superseded')).toHaveLength(1);
  expect(all.registry.sessions.size).toBe(0);
  expect(all.registry.list('users')[0]?.incarnation).toBe('another');
  await all.client.close();
});

test('a registry that restarted refuses the session, and gets a new registration for it', async () => {
  const all = await registered();
  all.registry.restart();
  session(all).cut();
  await all.time.advance(1000);
  expect(all.registry.list('users')).toHaveLength(1);
  await all.client.close();
});

test('a registry without sessions is asked again after five minutes, and beaten meanwhile', async () => {
  const all = fixture({ watch: false });
  await all.client.register(users);
  await all.time.advance(299_000);
  expect(all.registry.calls('POST /session')).toHaveLength(1);
  all.registry.offersSessions = true;
  await all.time.advance(2000);
  expect(all.registry.sessions.size).toBe(1);
  await all.client.close();
});

test('a registry that is full is asked again when it said', async () => {
  const all = fixture({ watch: false });
  all.registry.offersSessions = true;
  all.registry.intercept = ({ path }) =>
    path === '/session' ? json(503, { code: 'ERR_CAPACITY' }, { 'retry-after': '7' }) : undefined;
  await all.client.register(users);
  await all.time.advance(6900);
  expect(all.registry.calls('POST /session')).toHaveLength(1);
  await all.time.advance(200);
  expect(all.registry.calls('POST /session')).toHaveLength(2);
  await all.client.close();
});

test('it can be switched off', async () => {
  const { registry, client } = await registered({ session: false });
  expect(registry.calls('POST /session')).toEqual([]);
  await client.close();
});

test('a drained instance is found by nobody, keeps its lease, and is drained again after a restart of the registry', async () => {
  const all = fixture();
  const registration = await all.client.register(users);
  await all.time.advance(20);
  await registration.drain();
  expect(all.registry.list('users')).toEqual([]);
  await all.time.advance(60_000);
  expect(all.of('registration-lost')).toEqual([]);
  expect(all.registry.calls('POST /heartbeat').length).toBeGreaterThanOrEqual(11);
  all.registry.restart();
  await all.time.advance(20_000);
  expect(all.registry.calls('POST /register')).toHaveLength(2);
  expect(all.registry.list('users')).toEqual([]);
  await registration.undrain();
  expect(all.registry.list('users')).toHaveLength(1);
  await registration.deregister();
  await registration.drain();
  expect(all.registry.list('users')).toEqual([]);
  await all.client.close();
});

test('a drain that the registry does not hear is told', async () => {
  const { client, registry } = fixture({ watch: false });
  const registration = await client.register(users);
  registry.mode = 'broken';
  await expect(registration.drain()).rejects.toMatchObject({
    code: 'ERR_DISCOVERY_UNAVAILABLE',
    status: 500,
  });
  registry.mode = 'up';
  await client.close();
});
