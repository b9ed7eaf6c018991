/// <reference types="node" />
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DiscoveryClient } from './discovery-client.ts';
import type { DiscoveryClientOptions } from './discovery-client-options.ts';
import { ConsulAgent, hasConsul } from './testing/consul-agent.ts';
import { until } from './testing/registry-socket.ts';

const title = 'a real Consul agent';
// eslint-disable-next-line no-console -- a suite that is skipped must say so aloud
if (!hasConsul) console.warn(`SKIPPED: ${title}: needs consul in the PATH (1.8.7 was used)`);
const describeWithConsul = hasConsul ? describe : describe.skip;

jest.setTimeout(30_000);

describeWithConsul(title, () => {
  let agent: ConsulAgent;
  const clients: DiscoveryClient[] = [];

  beforeEach(async () => {
    agent = await new ConsulAgent().start();
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await agent.kill();
  });

  const connect = (options: DiscoveryClientOptions = {}): DiscoveryClient => {
    const client = new DiscoveryClient({ serverUrl: agent.url, ...options });
    clients.push(client);
    return client;
  };
  const ports = (client: DiscoveryClient): number[] | undefined =>
    client.peek('user-service')?.instances.map(({ port }) => port);
  const service = (port: number) => ({ name: 'user-service', host: '127.0.0.1', port, heartbeatInterval: 1 });

  test('registers with a check, is found with all it said, changes are pushed, and it is gone after deregister', async () => {
    const [server, caller] = [connect(), connect()];
    const said = { ...service(4000), weight: 2.5, zone: 'a', version: '1.2.3', metadata: { color: 'blue' } };
    const registration = await server.register(said);
    const { instances, source } = await caller.resolve('user-service');
    expect(instances).toMatchObject([{ ...said, id: '127.0.0.1:4000', status: 'up' }]);
    expect(instances[0]?.incarnation).toBe(registration.instance.incarnation);
    expect(source).toBe('fresh');
    expect(await agent.api('/v1/agent/checks')).toMatchObject({
      'service:127.0.0.1:4000': { Status: 'passing', Type: 'ttl' },
    });
    await server.register(service(4001));
    await until(() => ports(caller)?.length === 2);
    expect(caller.peek('user-service')?.ageMs).toBe(0);
    await registration.deregister();
    await until(() => ports(caller)?.join() === '4001');
    expect(await agent.api('/v1/agent/services')).not.toHaveProperty('127.0.0.1:4000');
  });

  test('who stops beating fails its check and is not found; who beats again is', async () => {
    const caller = connect();
    const server = connect();
    await server.register(service(4000));
    await server.register(service(4001));
    await caller.resolve('user-service');
    await until(() => ports(caller)?.length === 2);
    await agent.api('/v1/agent/check/fail/service:127.0.0.1:4000', 'PUT');
    await until(() => ports(caller)?.join() === '4001');
    await until(() => ports(caller)?.join() === '4000,4001');
  });

  test('with a healthCheckUrl the agent asks itself', async () => {
    let asked = 0;
    const health = createServer((_, response) => {
      asked += 1;
      response.end('ok');
    });
    await new Promise<void>((resolve) => health.listen(0, '127.0.0.1', resolve));
    const { port } = health.address() as AddressInfo;
    await connect().register({ ...service(port), healthCheckUrl: `http://127.0.0.1:${port}/health` });
    expect(await agent.api('/v1/agent/checks')).toMatchObject({
      [`service:127.0.0.1:${port}`]: { Type: 'http', Definition: expect.anything() as unknown },
    });
    await until(() => asked > 0);
    await new Promise((resolve) => health.close(resolve));
  });

  test('a drained instance is not found and comes back', async () => {
    const caller = connect();
    const registration = await connect().register(service(4000));
    await connect().register(service(4001));
    await caller.resolve('user-service');
    await until(() => ports(caller)?.length === 2);
    await registration.drain();
    await until(() => ports(caller)?.join() === '4001');
    await registration.undrain();
    await until(() => ports(caller)?.length === 2);
  });

  test('the goodbye and the beats of a former process leave its successor alone', async () => {
    const events: string[] = [];
    const former = await connect({ onEvent: ({ type }) => events.push(type) }).register(service(4000));
    const successor = await connect().register(service(4000));
    await until(() => events.includes('superseded'));
    await former.deregister();
    expect(await agent.api('/v1/agent/services')).toMatchObject({
      '127.0.0.1:4000': { Meta: { 'mesh-incarnation': successor.instance.incarnation } },
    });
  });

  test('an agent that is killed and comes back empty: its last list is served, the index starts over, services return', async () => {
    const caller = connect();
    await connect().register(service(4000));
    await connect().register(service(4001));
    await caller.resolve('user-service');
    await until(() => ports(caller)?.length === 2);
    const seen = new Set<string>();
    const load = setInterval(() => seen.add(String(ports(caller))), 5);
    await agent.kill();
    await until(() => caller.status === 'disconnected');
    await agent.start();
    await until(() => caller.peek('user-service')?.ageMs === 0);
    await connect().register(service(4002));
    await until(() => ports(caller)?.length === 3);
    clearInterval(load);
    expect([...seen].filter((list) => !list.startsWith('4000,4001'))).toEqual([]);
  });

  test('an empty list of a service that is unknown, and a refusal in plain words', async () => {
    const client = connect();
    expect((await client.resolve('nobody')).instances).toEqual([]);
    await expect(
      client.register({ ...service(4000), metadata: { 'not allowed!': 'x' } }),
    ).rejects.toMatchObject({ message: expect.stringMatching(/meta/i) as unknown });
  });
});
