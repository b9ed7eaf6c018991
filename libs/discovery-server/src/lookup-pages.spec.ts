import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { discoveryServer } from './discovery-server.ts';
import { Registry } from './registry.ts';
import { serviceAnswer, servicesAnswer } from './schemas.ts';

let app: FastifyInstance;
let registry: Registry;

beforeAll(async () => {
  registry = new Registry();
  app = fastify();
  await app.register(discoveryServer, { registry });
  for (let at = 0; at < 60; at++) {
    const name = `${['user', 'order', 'payment'][at % 3]}-service-${at % 7}`;
    const namespace = at % 5 === 0 ? 'test' : undefined;
    registry.register({ name, namespace, host: `10.0.${at % 4}.${at}`, port: 4000, healthy: at % 11 !== 0 });
  }
});
afterAll(async () => {
  await app.close();
  registry.close();
});

const ask = (path: string, query: Record<string, unknown>) => {
  const set = Object.entries(query).filter(([, value]) => value !== undefined);
  return app.inject(
    `${path}?${new URLSearchParams(set.map(([key, value]) => [key, String(value)])).toString()}`,
  );
};

const search = fc.option(fc.constantFrom('user', '10.0.3', '.1', 'test', 'service-2', '4000', 'nobody'), {
  nil: undefined,
});
const status = fc.option(fc.constantFrom('any', 'up', 'down'), { nil: undefined });
const upTo = (max: number) => fc.option(fc.integer({ min: 1, max }), { nil: undefined });

/** What fits, without any thought of cost. */
function fitting(key: string, part: string | undefined, wanted = 'up') {
  const { instances = [] } = registry.find(key, 'any') ?? {};
  return instances
    .filter((one) => wanted === 'any' || one.status === wanted)
    .filter(({ id, host }) => part === undefined || id.includes(part) || host.includes(part));
}

test('a page of one service is a part of the whole, and says how much that is', async () => {
  const query = fc.record({
    search,
    status,
    limit: upTo(10),
    offset: fc.option(fc.nat(12), { nil: undefined }),
  });
  const keys = fc.constantFrom(...registryKeys());
  await fc.assert(
    fc.asyncProperty(keys, query, async (key, { offset, limit, ...filter }) => {
      const [namespace, name = ''] = key.includes('/') ? key.split('/') : [undefined, key];
      const answer = await ask(`/services/${name}`, { namespace, offset, limit, ...filter });
      const { instances, total } = serviceAnswer.strict().parse(answer.json());
      const all = fitting(key, filter.search, filter.status);
      const from = offset ?? 0;
      expect(instances).toEqual(all.slice(from, from + (limit ?? all.length)));
      expect(total).toBe(limit === undefined && offset === undefined ? undefined : all.length);
    }),
  );
});

function registryKeys(): string[] {
  const names = ['user', 'order', 'payment'].flatMap((kind) =>
    [0, 1, 2, 3].map((n) => `${kind}-service-${n}`),
  );
  return ['test/user-service-0', ...names];
}

test('services are found by their names, or else by their instances, and come in pages that join', async () => {
  const query = fc.record({
    search,
    status,
    namespace: fc.option(fc.constantFrom('*', 'test'), { nil: undefined }),
    limit: fc.integer({ min: 1, max: 6 }),
    instances: fc.option(fc.nat(3), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(query, async (wanted) => {
      const { namespace = 'default' } = wanted;
      const services = registry.services().map(({ key }) => key);
      const expected = services
        .filter(
          (key) => namespace === '*' || (key.includes('/') ? key.split('/')[0] : 'default') === namespace,
        )
        .map((key) => {
          const isNamed = wanted.search === undefined || key.includes(wanted.search);
          return { key, all: fitting(key, isNamed ? undefined : wanted.search, wanted.status) };
        })
        .filter(({ all }) => wanted.search === undefined || all.length > 0);
      const found: { key: string; instances: readonly unknown[]; total: number | undefined }[] = [];
      for (let after: string | undefined = ''; after !== undefined;) {
        const answer = await ask('/services', { ...wanted, after });
        const page = servicesAnswer.strict().parse(answer.json());
        expect(page.services.length).toBeLessThanOrEqual(wanted.limit);
        expect(page.total).toBe(expected.length);
        for (const { namespace: scope, name, instances, total } of page.services)
          found.push({ key: scope === undefined ? name : `${scope}/${name}`, instances, total });
        after = page.next;
      }
      const cut = wanted.instances;
      expect(found).toEqual(
        expected.map(({ key, all }) => ({
          key,
          instances: all.slice(0, cut ?? all.length),
          total: cut === undefined ? undefined : all.length,
        })),
      );
    }),
  );
});

test('a long poll of all services ends with any change', async () => {
  const first = await ask('/services', { limit: 1 });
  const headers = { 'if-none-match': String(first.headers.etag) };
  const unchanged = await app.inject({ url: '/services?limit=1&wait=0.02', headers });
  expect([unchanged.statusCode, unchanged.body]).toEqual([304, '']);
  let isOver = false;
  const held = app.inject({ url: '/services?limit=1&wait=30', headers }).finally(() => (isOver = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isOver).toBe(false);
  registry.register({ name: 'zoo-service', host: '10.1.0.1', port: 4000 });
  expect((await held).json()).toMatchObject({ revision: registry.revision, services: [{}] });
});

test.each([
  ...['offset=-1', 'offset=x', 'search=', 'instances=1', 'after=a'].map((query) => ['/services/a', query]),
  ...['offset=1', 'limit=0', 'instances=-1', 'search=', 'other=1'].map((query) => ['/services', query]),
])('%s?%s is refused', async (path, query) => {
  expect((await app.inject(`${path}?${query}`)).json()).toMatchObject({ code: 'ERR_VALIDATION' });
});
