import { afterEach, expect, test } from '@jest/globals';
import { fixture } from './testing/client-fixture.ts';
import { instanceOf, json } from './testing/fake-registry.ts';
import { seeded } from '@mesh/resilience/testing';
import { settle } from './testing/settle.ts';

afterEach(settle);

const users = { name: 'users', port: 4000 } as const;
const polling = { watch: false } as const;

test('registers with all that the service says about itself, and resolves when the registry accepted', async () => {
  const { client, registry, of } = fixture(polling);
  const more = { host: '10.0.0.7', id: 'u-1', healthCheckUrl: '/health', metadata: { zone: 'a' }, weight: 3 };
  const registration = await client.register({ ...users, ...more, heartbeatInterval: 5 });
  expect(registry.calls('POST /register').map(({ body }) => body)).toEqual([
    { ...users, ...more, heartbeatInterval: 5, incarnation: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  ]);
  expect(registration.instance).toMatchObject({ ...users, ...more });
  expect(of('registered')).toHaveLength(1);
  expect(client.status).toBe('connected');
  await client.close();
});

test('the interval defaults to the option, the token travels along', async () => {
  const { client, registry } = fixture({ ...polling, defaultHeartbeatInterval: 7, token: 'secret' });
  await client.register(users);
  expect(registry.requests[0]?.body).toMatchObject({ heartbeatInterval: 7 });
  expect(registry.requests[0]?.headers.get('authorization')).toBe('Bearer secret');
  await client.close();
});

test('every call of register is another incarnation', async () => {
  const { client, registry } = fixture(polling);
  const first = await client.register(users);
  await first.deregister();
  await client.register(users);
  expect(new Set(registry.calls('POST /register').map(({ body }) => body?.['incarnation'])).size).toBe(2);
  await client.close();
});

test.each([
  [{ name: 'Users', port: 4000 }, /name must be .* got "Users"/],
  [{ name: 'users', port: 0 }, /port must be .* got 0/],
  [{ name: 'users', port: 1.5 }, /port/],
  [{ name: 'users', port: 4000, heartbeatInterval: 0 }, /heartbeatInterval must be from 0.05 to 3600, got 0/],
])('%j is refused before anything is sent', async (service, message) => {
  const { client, registry } = fixture(polling);
  await expect(client.register(service)).rejects.toThrow(RangeError);
  await expect(client.register(service)).rejects.toThrow(message);
  expect(registry.requests).toEqual([]);
});

test('tries until the registry is there, with growing pauses, and says so', async () => {
  const { client, registry, time, of } = fixture(polling);
  registry.mode = 'down';
  let accepted = false;
  const registering = client.register(users).then(() => (accepted = true));
  await time.advance(3600_000);
  expect(of('register-failed').slice(0, 3)).toMatchObject([
    { retryInMs: 200, name: 'users', port: 4000 },
    { retryInMs: 320 },
    { retryInMs: 512 },
  ]);
  expect(of('register-failed').at(-1)).toMatchObject({ retryInMs: 10_000 });
  expect(accepted).toBe(false);
  registry.mode = 'up';
  await time.advance(10_000);
  await registering;
  expect(registry.list('users')).toHaveLength(1);
  await client.close();
});

test('a registry that refuses is no reason to go on', async () => {
  const { client, registry, time } = fixture(polling);
  registry.intercept = () => json(400, { code: 'ERR_VALIDATION', detail: 'weight must be positive' });
  await expect(client.register(users)).rejects.toMatchObject({
    code: 'ERR_DISCOVERY_REJECTED',
    status: 400,
    reason: 'ERR_VALIDATION',
    message: /weight must be positive/,
  });
  expect(time.pending).toBe(0);
  await client.close();
  expect(registry.requests).toHaveLength(1);
});

test('a busy registry sets the pace by Retry-After', async () => {
  const { client, registry, time, of } = fixture(polling);
  registry.intercept = () => json(429, { code: 'ERR_RATE_LIMITED' }, { 'retry-after': '7' });
  void client.register(users).catch(() => undefined);
  await settle();
  expect(of('register-failed')).toMatchObject([{ retryInMs: 7000 }]);
  registry.intercept = undefined;
  await time.advance(6999);
  expect(of('registered')).toEqual([]);
  await time.advance(1);
  expect(of('registered')).toHaveLength(1);
  await client.close();
});

test('an abort before acceptance ends it with the reason of the signal', async () => {
  const { client, registry, time } = fixture(polling);
  registry.mode = 'hang';
  const controller = new AbortController();
  const registering = client.register(users, { signal: controller.signal }).catch((error: unknown) => error);
  await settle();
  controller.abort(new Error('enough'));
  expect(await registering).toMatchObject({ message: 'enough' });
  expect(registry.requests[0]?.signal.aborted).toBe(true);
  await expect(client.register(users, { signal: controller.signal })).rejects.toThrow('enough');
  await time.advance(5000);
  expect(time.pending).toBe(0);
  expect(registry.calls('POST')).toHaveLength(1);
});

test('an abort after acceptance changes nothing', async () => {
  const { client, registry, time } = fixture(polling);
  const controller = new AbortController();
  await client.register(users, { signal: controller.signal });
  controller.abort();
  await time.advance(30_000);
  expect(registry.calls('POST /heartbeat')).toHaveLength(1);
  expect(registry.list('users')).toHaveLength(1);
  await client.close();
});

test('heartbeats keep within a tenth of the interval and use all of it', async () => {
  const { client, registry, time } = fixture({ ...polling, random: seeded(7) });
  await client.register({ ...users, heartbeatInterval: 10 });
  await time.advance(2000_000);
  const beats = registry.calls('POST /heartbeat').map(({ at }) => at);
  const gaps = beats.map((at, index) => at - (beats[index - 1] ?? 0));
  expect(gaps.length).toBeGreaterThan(180);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(9000);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(11_000);
  expect(Math.min(...gaps)).toBeLessThan(9200);
  expect(Math.max(...gaps)).toBeGreaterThan(10_800);
  await client.close();
});

test('a heartbeat names the lease it is for', async () => {
  const { client, registry, time } = fixture(polling);
  const { instance } = await client.register(users);
  await time.advance(30_000);
  const { id, host, incarnation } = instance;
  expect(registry.calls('POST /heartbeat').map(({ body }) => body)).toEqual([
    { ...users, id, host, incarnation, heartbeatInterval: 30 },
  ]);
  await client.close();
});

test('a registry that forgot the instance is told again at once, as the same incarnation', async () => {
  const { client, registry, time, of } = fixture(polling);
  const { instance } = await client.register(users);
  registry.restart();
  await time.advance(30_000);
  expect(of('registration-lost')).toMatchObject([{ reason: 'unknown' }]);
  expect(registry.list('users')).toMatchObject([{ incarnation: instance.incarnation }]);
  await client.close();
});

test('a registry that is away is beaten with back-off until it is back', async () => {
  const { client, registry, time, of } = fixture(polling);
  await client.register(users);
  registry.mode = 'down';
  await time.advance(30_000 + 200 + 320 + 512);
  expect(of('heartbeat-failed').map(({ retryInMs }) => retryInMs)).toEqual([200, 320, 512, 819]);
  expect(client.status).toBe('disconnected');
  registry.mode = 'up';
  await time.advance(819);
  expect(client.status).toBe('connected');
  const beats = registry.calls('POST /heartbeat').length;
  await time.advance(29_999);
  expect(registry.calls('POST /heartbeat')).toHaveLength(beats);
  await time.advance(1);
  expect(registry.calls('POST /heartbeat')).toHaveLength(beats + 1);
  await client.close();
});

test('a hung heartbeat of a fast service is given up in time for another', async () => {
  const { client, registry, time, of } = fixture(polling);
  await client.register({ ...users, heartbeatInterval: 2 });
  registry.mode = 'hang';
  await time.advance(2000 + 1000);
  expect(of('heartbeat-failed')).toHaveLength(1);
  registry.mode = 'up';
  await client.close();
});

test('another process at the same address ends it, silently for the registry', async () => {
  const { client, registry, time, of } = fixture(polling);
  const registration = await client.register(users);
  registry.upsert(instanceOf('users', 4000, { incarnation: 'newer' }));
  await time.advance(30_000);
  expect(of('superseded')).toMatchObject([{ instance: { port: 4000 } }]);
  await time.advance(3600_000);
  expect(registry.calls('POST /heartbeat')).toHaveLength(1);
  expect(registry.calls('POST /register')).toHaveLength(1);
  await registration.deregister();
  await client.close();
  expect(registry.calls('DELETE')).toEqual([]);
  expect(registry.list('users')).toMatchObject([{ incarnation: 'newer' }]);
});

test('deregistering ends the heartbeats, removes the instance, and can be repeated', async () => {
  const { client, registry, time, of } = fixture(polling);
  const registration = await client.register(users);
  await Promise.all([registration.deregister(), registration.deregister()]);
  expect(registry.list('users')).toEqual([]);
  const { incarnation } = registration.instance;
  expect(registry.calls('DELETE').map(({ path }) => path)).toEqual([
    `/services/users/4000?host=127.0.0.1&id=127.0.0.1%3A4000&incarnation=${incarnation}`,
  ]);
  expect(of('deregistered')).toEqual([{ type: 'deregistered', instance: registration.instance }]);
  expect(time.pending).toBe(0);
});

test('a goodbye nobody hears is reported, not thrown, and takes requestTimeout at most', async () => {
  const { client, registry, time, of } = fixture({ ...polling, requestTimeout: 300 });
  const registration = await client.register(users);
  registry.mode = 'hang';
  let gone = false;
  void registration.deregister().then(() => (gone = true));
  await time.advance(299);
  expect(gone).toBe(false);
  await time.advance(1);
  expect(gone).toBe(true);
  expect(of('deregistered')).toMatchObject([{ error: { code: 'ERR_DISCOVERY_UNAVAILABLE' } }]);
});

test('a goodbye that comes late leaves the successor in its place', async () => {
  const { client, registry, of } = fixture(polling);
  const registration = await client.register(users);
  registry.upsert(instanceOf('users', 4000, { incarnation: 'newer' }));
  await registration.deregister();
  expect(registry.list('users')).toMatchObject([{ incarnation: 'newer' }]);
  expect(of('deregistered')).toEqual([{ type: 'deregistered', instance: registration.instance }]);
});

test('what the registry heard and could not answer any more is taken back', async () => {
  const { client, registry, of } = fixture(polling);
  registry.intercept = ({ path, body }) => {
    if (path !== '/register') return undefined;
    registry.upsert(instanceOf('users', 4000, body));
    return new Promise(() => undefined);
  };
  const registering = expect(client.register(users)).rejects.toThrow('closed');
  await settle();
  expect(registry.list('users')).toHaveLength(1);
  await client.close();
  await registering;
  expect(registry.list('users')).toEqual([]);
  expect(of('deregistered')).toEqual([]);
});

test('leaving a block deregisters', async () => {
  const { client, registry } = fixture(polling);
  {
    await using registration = await client.register(users);
    expect(registry.list('users')).toEqual([expect.objectContaining({ id: registration.instance.id })]);
  }
  expect(registry.list('users')).toEqual([]);
});

test('its own removal makes it register again within a quarter of a second', async () => {
  const { client, registry, time, of } = fixture();
  await client.register(users);
  await time.advance(20);
  expect(registry.watchers.size).toBe(1);
  registry.remove('users', '127.0.0.1:4000', 'expired');
  await time.advance(250);
  expect(of('registration-lost')).toMatchObject([{ reason: 'removed' }]);
  expect(registry.list('users')).toHaveLength(1);
  await client.close();
});

test('the removal of a sibling does not', async () => {
  const { client, registry, time } = fixture();
  registry.upsert(instanceOf('users', 4001));
  registry.upsert(instanceOf('orders', 4000));
  await client.register(users);
  await time.advance(20);
  registry.remove('users', '127.0.0.1:4001');
  registry.remove('orders', '127.0.0.1:4000');
  await time.advance(1000);
  expect(registry.calls('POST /register')).toHaveLength(1);
  await client.close();
});

test('a restarted registry is told again as soon as the watch is back', async () => {
  const { client, registry, time, of } = fixture();
  await client.register(users);
  await time.advance(20);
  registry.mode = 'down';
  registry.restart();
  await time.advance(2000);
  registry.mode = 'up';
  await time.advance(2500);
  expect(of('registration-lost')).toMatchObject([{ reason: 'restarted' }]);
  expect(registry.list('users')).toHaveLength(1);
  expect(registry.calls('POST /heartbeat')).toEqual([]);
  await client.close();
});

test('a successor that evicts it is not evicted in turn', async () => {
  const { client, registry, time, of } = fixture();
  await client.register(users);
  await time.advance(20);
  registry.remove('users', '127.0.0.1:4000', 'replaced');
  registry.upsert(instanceOf('users', 4000, { id: 'other' }));
  registry.intercept = ({ path }) =>
    path === '/register' ? Promise.resolve(json(409, { code: 'ERR_INCARNATION_STALE' })) : undefined;
  await time.advance(30_000);
  expect(of('superseded')).toHaveLength(1);
  expect(registry.calls('POST /register')).toHaveLength(2);
  expect(registry.list('users')).toMatchObject([{ id: 'other' }]);
  await client.close();
});

test('news of its own removal that arrives while a heartbeat is under way is not lost', async () => {
  const { client, registry, time } = fixture();
  await client.register(users);
  await time.advance(20);
  let answer: (response: Response) => void = () => undefined;
  registry.intercept = ({ path }) =>
    path === '/heartbeat' ? new Promise((resolve) => (answer = resolve)) : undefined;
  for (let at = 0; at < 30_000; at += 10_000) {
    registry.bookmark();
    await time.advance(10_000);
  }
  registry.remove('users', '127.0.0.1:4000');
  await settle();
  answer(json(200, {}));
  await time.advance(250);
  expect(registry.list('users')).toHaveLength(1);
  await client.close();
});

test('what the watch tells about the time before the acceptance is no news', async () => {
  const { client, registry, time, of } = fixture();
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await time.advance(20);
  registry.dropWatchers();
  registry.remove('users', '127.0.0.1:4000');
  await client.register(users);
  await time.advance(1000);
  expect(registry.calls('GET /watch').at(-1)?.headers.get('last-event-id')).toBe('e1:1');
  expect(of('registration-lost')).toEqual([]);
  expect(registry.calls('POST /register')).toHaveLength(1);
  await client.close();
});

test('a registry that is heard on another way is told at once', async () => {
  const { client, registry, time } = fixture(polling);
  registry.mode = 'down';
  const registering = client.register(users);
  await time.advance(600_000);
  registry.mode = 'up';
  await client.resolve('orders');
  await registering;
  expect(registry.list('users')).toHaveLength(1);
  await client.close();
});

test('heartbeats leave no listeners behind', async () => {
  // Without sessions: the signal of a connection dies with it, and so do its listeners.
  const { client, time } = fixture({ ...polling, session: false });
  const { prototype } = AbortSignal;
  const { addEventListener, removeEventListener } = prototype;
  let listeners = 0;
  prototype.addEventListener = function (this: AbortSignal, ...args: Parameters<typeof addEventListener>) {
    listeners += 1;
    addEventListener.apply(this, args);
  };
  prototype.removeEventListener = function (
    this: AbortSignal,
    ...args: Parameters<typeof removeEventListener>
  ) {
    listeners -= 1;
    removeEventListener.apply(this, args);
  };
  try {
    await client.register(users);
    await time.advance(3000_000);
    expect(listeners).toBe(0);
    await client.close();
  } finally {
    Object.assign(prototype, { addEventListener, removeEventListener });
  }
});

test('a fast service that is not heard is tried at least at its own pace', async () => {
  const { client, registry, time, of } = fixture(polling);
  await client.register({ ...users, heartbeatInterval: 0.5 });
  registry.mode = 'down';
  await time.advance(60_000);
  expect(of('heartbeat-failed').at(-1)).toMatchObject({ retryInMs: 500 });
  registry.mode = 'up';
  await client.close();
});

test('its own removal that overtakes the answer to its registration is not missed until the next heartbeat', async () => {
  const { client, registry, time, of } = fixture();
  registry.upsert(instanceOf('users', 4009));
  await client.resolve('users');
  await time.advance(100);
  registry.latencyMs = 100;
  const registering = client.register(users);
  await time.advance(50);
  registry.remove('users', '127.0.0.1:4000');
  await time.advance(60);
  await registering;
  registry.latencyMs = 0;
  await time.advance(500);
  expect(registry.list('users')).toHaveLength(2);
  expect(registry.calls('POST /heartbeat')).toEqual([]);
  expect(of('registration-lost')).toMatchObject([{ reason: 'removed' }]);
  await client.close();
});

test('what overtakes the answer but happened before it is no news', async () => {
  const { client, registry, time, of } = fixture();
  registry.upsert(instanceOf('users', 4000));
  await client.resolve('users');
  await time.advance(100);
  registry.latencyMs = 100;
  registry.remove('users', '127.0.0.1:4000');
  const registering = client.register(users);
  await time.advance(500);
  await registering;
  registry.latencyMs = 0;
  expect(of('registration-lost')).toEqual([]);
  await client.close();
});

test.each([
  ['while its watch is being opened', 0],
  ['while another watch waits to be opened again for it', 100],
])('its own removal %s is replayed', async (_, firstMs) => {
  const { client, registry, time } = fixture();
  if (firstMs > 0) {
    registry.upsert(instanceOf('orders', 5000));
    await client.resolve('orders');
    await time.advance(firstMs);
  }
  await client.register(users);
  registry.remove('users', '127.0.0.1:4000');
  registry.upsert(instanceOf('orders', 5001));
  await time.advance(2000);
  expect(registry.list('users')).toHaveLength(1);
  expect(registry.calls('POST /heartbeat')).toEqual([]);
  await client.close();
});

test.each(['draining', 'maintenance', 'down'])('being hidden for %s is not being lost', async (reason) => {
  const { client, registry, time, of } = fixture();
  await client.register(users);
  await time.advance(100);
  registry.send(
    `id: e1:9\nevent: remove\ndata: ${JSON.stringify({ name: 'users', id: '127.0.0.1:4000', reason })}\n\n`,
  );
  await time.advance(1000);
  expect(of('registration-lost')).toEqual([]);
  expect(registry.calls('POST /register')).toHaveLength(1);
  await client.close();
});

test('who is suspected beats at once', async () => {
  const { client, registry, time } = fixture();
  await client.register(users);
  await time.advance(100);
  registry.send(
    `id: e1:9\nevent: remove\ndata: ${JSON.stringify({ name: 'users', id: '127.0.0.1:4000', reason: 'suspect' })}\n\n`,
  );
  await time.advance(300);
  expect(registry.calls('POST /heartbeat')).toHaveLength(1);
  await client.close();
});

test('those that learn of a restart at the same moment register spread over two seconds, or an interval', async () => {
  const registeredAt = async (random: number, heartbeatInterval: number): Promise<number> => {
    const { client, registry, time } = fixture({ random: () => random });
    await client.register({ ...users, heartbeatInterval });
    await time.advance(20);
    const from = time.now();
    registry.restart();
    await time.advance(10_000);
    await client.close();
    return (registry.calls('POST /register')[1]?.at ?? 0) - from;
  };
  expect(await registeredAt(0, 30)).toBeLessThan(100);
  expect(await registeredAt(0.999, 30)).toBeGreaterThan(1900);
  expect(await registeredAt(0.999, 30)).toBeLessThan(3000);
  expect(await registeredAt(0.999, 0.5)).toBeLessThan(1600);
});
