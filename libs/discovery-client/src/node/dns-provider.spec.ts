import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { DiscoveryClient } from '../discovery-client.ts';
import { DnsResponder } from '../testing/dns-responder.ts';
import { VirtualTime } from '@mesh/resilience/testing';
import type { NodeDiscoveryClientOptions } from './create-discovery-client.ts';
import { createDiscoveryClient } from './create-discovery-client.ts';
import { settle } from '../testing/settle.ts';

let dns: DnsResponder;
let server: string;
const clients: DiscoveryClient[] = [];

beforeEach(async () => {
  dns = new DnsResponder();
  server = await dns.listen();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await dns.close();
});

function connect(path: string, options: NodeDiscoveryClientOptions = {}): DiscoveryClient {
  const client = createDiscoveryClient({ serverUrl: `dns://${server}/${path}`, ...options });
  clients.push(client);
  return client;
}

async function addresses(client: DiscoveryClient, name = 'users'): Promise<string[]> {
  const { instances } = await client.resolve(name);
  return instances.map(({ host, port, weight }) => `${host}:${port}*${weight}`);
}

test('addresses of a headless service', async () => {
  dns.zone = { a: { 'users.shop.test': ['10.0.0.2', '10.0.0.1'] } };
  const client = connect('{name}.shop.test?port=8080');
  expect(await addresses(client)).toEqual(['10.0.0.1:8080*1', '10.0.0.2:8080*1']);
  expect(client.peek('users')).toMatchObject({ source: 'fresh', revision: '' });
  expect(client.status).toBe('connected');
  expect(client.serverUrl).toContain('dns://');
});

test('IPv6 where there is no IPv4, and not both of the same instance', async () => {
  dns.zone = {
    a: { 'both.test': ['10.0.0.1'] },
    aaaa: { 'both.test': ['fd00::1'], 'users.test': ['fd00::2'] },
  };
  const client = connect('{name}.test?port=80');
  expect(await addresses(client)).toEqual(['fd00::2:80*1']);
  expect((await client.resolve('users')).instances[0]?.id).toBe('[fd00::2]:80');
  expect(await addresses(client, 'both')).toEqual(['10.0.0.1:80*1']);
});

test('SRV records know ports and weights; only the best priority counts', async () => {
  const target = (port: number, priority: number, weight: number, name: string) => ({
    port,
    priority,
    weight,
    target: name,
  });
  dns.zone = {
    srv: {
      '_http._tcp.users.test': [
        target(4000, 1, 3, 'one.test'),
        target(4001, 1, 0, 'two.test'),
        target(4002, 2, 9, 'one.test'),
      ],
    },
    a: { 'one.test': ['10.0.0.1'], 'two.test': ['10.0.0.2'] },
  };
  expect(await addresses(connect('_http._tcp.{name}.test'))).toEqual([
    '10.0.0.1:4000*3',
    '10.0.0.2:4001*0.1',
  ]);
});

test('a list lives as long as its records say, 1 s at least', async () => {
  const time = new VirtualTime();
  dns.zone = { a: { 'users.test': ['10.0.0.1'] } };
  dns.ttl = 5;
  const client = connect('{name}.test?port=80', { clock: time, timers: time, random: () => 0.5 });
  await client.resolve('users');
  expect(client.cache()).toMatchObject([{ ttlMs: 5000, source: 'fresh' }]);
  await time.advance(4900);
  expect(client.peek('users')?.source).toBe('fresh');
  await time.advance(200);
  expect(client.peek('users')?.source).toBe('stale');
  dns.ttl = 0;
  dns.zone = { a: { 'carts.test': ['10.0.0.1'] } };
  await client.resolve('carts');
  expect(client.cache().find(({ name }) => name === 'carts')?.ttlMs).toBe(1000);
});

test('a name that is not there is an empty list; one that was there is kept for one lease', async () => {
  const time = new VirtualTime();
  dns.zone = { a: { 'users.test': ['10.0.0.1', '10.0.0.2', '10.0.0.3'] } };
  const client = connect('{name}.test?port=80', { clock: time, timers: time });
  expect(await addresses(client, 'nobody')).toEqual([]);
  expect(await addresses(client)).toHaveLength(3);
  dns.zone = {};
  let isDoubted = false;
  for (let second = 0; second < 60; second++) {
    await time.advance(1000);
    client.peek('users');
    await asked(dns.asked.length);
    isDoubted ||= second > 10 && second < 40 && client.peek('users')?.instances.length === 3;
  }
  expect(isDoubted).toBe(true);
  expect(client.peek('users')?.instances).toEqual([]);
});

/** Gives a question that may be under way the time for its answer. */
async function asked(before: number): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await settle();
    if (dns.asked.length > before) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('a server that refuses or is silent is no empty list', async () => {
  dns.mode = 'refused';
  const client = connect('{name}.test?port=80', { requestTimeout: 300 });
  await expect(client.resolve('users')).rejects.toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE' });
  dns.mode = 'silent';
  await expect(client.resolve('carts')).rejects.toMatchObject({ code: 'ERR_DISCOVERY_UNAVAILABLE' });
  expect(client.status).toBe('disconnected');
});

test('closing does not wait for an answer', async () => {
  dns.mode = 'silent';
  const client = connect('{name}.test?port=80');
  const waiting = client.resolve('users');
  await Promise.all([
    expect(waiting).rejects.toMatchObject({ code: 'ERR_DISCOVERY_CLOSED' }),
    client.close(),
  ]);
});

test('a service says that it is there, and is told that the platform knows', async () => {
  const client = connect('{name}.test?port=80');
  const registration = await client.register({ name: 'users', port: 4000, host: '10.0.0.1' });
  expect(registration.instance).toMatchObject({ id: '10.0.0.1:4000', status: 'up' });
  await registration.drain();
  await registration.deregister();
  expect(dns.asked).toEqual([]);
});

test.each(['users.test?port=80', '{name}.test', '{name}.test?port=0', '{name}.test?port=x'])(
  '%s is refused by name',
  (path) => {
    expect(() => connect(path)).toThrow(/serverUrl must be dns:/);
  },
);
