import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { identityOf, readConfig } from '@mesh/service-kit';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { FastifyInstance, HTTPMethods } from 'fastify';
import { buildApp } from './app.ts';
import { discoveryConfig } from './config.ts';

let app: FastifyInstance;

beforeEach(async () => {
  const config = readConfig(discoveryConfig, { LOG_LEVEL: 'silent' });
  app = await buildApp(config, { identity: identityOf('discovery', 3000) });
  await app.ready();
});
afterEach(() => app.close());

const register = (payload: object) =>
  app.inject({ method: 'POST', url: '/register', payload, headers: { host: 'localhost:3000' } });

/** https://prometheus.io/docs/prometheus/latest/http_sd/ */
describe('GET /sd/prometheus', () => {
  test('is 200 with JSON and UTF-8, an empty list without instances', async () => {
    const answer = await app.inject('/sd/prometheus');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json(; charset=utf-8)?$/);
    expect(answer.json()).toEqual([]);
  });

  test('is a list of targets (host:port) with labels, which are all text and have names that Prometheus takes', async () => {
    const metadata = { 'team.name': 'x', größe: 'L', '1st': 'yes', metrics_path: '/prom' };
    await register({ name: 'user-service', host: '127.0.0.1', port: 4000, zone: 'a', metadata });
    await register({ name: 'order-service', host: '::1', port: 5000 });
    await register({ name: 'order-service', host: '127.0.0.1', port: 5001, healthy: false });
    const groups = (await app.inject('/sd/prometheus')).json<
      { targets: string[]; labels: Record<string, unknown> }[]
    >();
    expect(groups.flatMap(({ targets }) => targets).sort()).toEqual(['127.0.0.1:4000', '[::1]:5000']);
    for (const group of groups) {
      expect(Object.keys(group).sort()).toEqual(['labels', 'targets']);
      for (const [name, value] of Object.entries(group.labels)) {
        expect(name).toMatch(/^[a-zA-Z_][a-zA-Z0-9_]*$/);
        expect(typeof value).toBe('string');
      }
    }
    expect(groups.map(({ labels }) => labels)).toContainEqual(
      expect.objectContaining({
        __meta_mesh_service: 'user-service',
        __meta_mesh_zone: 'a',
        __metrics_path__: '/prom',
      }),
    );
  });

  test('is for reading', async () => {
    const { statusCode, headers } = await app.inject({ method: 'POST', url: '/sd/prometheus' });
    expect([statusCode, headers.allow]).toEqual([405, 'GET, HEAD']);
  });
});

interface Route {
  readonly method: HTTPMethods;
  /** As Fastify writes it: `/services/:name`. */
  readonly path: string;
}

/** What the router knows, read from the tree that it prints: each level is four characters further in. */
function routesOf(tree: string): Route[] {
  const above: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', label = '', methods = ''] = /^([│├└─ ]*)([^ ]*) ?(?:\((.*)\))?$/.exec(line) ?? [];
    const depth = indent.length / 4;
    above.length = depth;
    above[depth - 1] = label;
    const path = above.join('').replace('//', '/');
    return methods === '' ? [] : methods.split(', ').map((method) => ({ method, path }));
  });
}

/** Files, pages and answers to any path. */
const isPage = ({ path }: Route): boolean => path === '/' || path.endsWith('*') || path.startsWith('/docs');
const isImplied = ({ method }: Route): boolean => method === 'HEAD' || method === 'OPTIONS';
/** Whatever its parameters are called. */
const nameless = (method: string, path: string): string =>
  `${method.toUpperCase()} ${path.replace(/:[^/]+|\{[^}]+\}/g, '{}')}`;

describe.each(['/docs/json', '/openapi.json'])('the OpenAPI document %s', (url) => {
  type Paths = Record<string, Record<string, unknown>>;
  const documentOf = async () => (await app.inject(url)).json<{ openapi: string; paths: Paths }>();

  test('is valid OpenAPI 3.1', async () => {
    const document = await documentOf();
    expect(document.openapi).toBe('3.1.0');
    expect(await new Validator().validate(document)).toEqual({ valid: true });
  });

  test('names only routes that there are', async () => {
    const { paths } = await documentOf();
    const named = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method, path })),
    );
    expect(named.length).toBeGreaterThan(10);
    const missing = named.filter(
      ({ method, path }) =>
        !app.hasRoute({
          method: method.toUpperCase(),
          url: path.replace(/\{(\w+)\}/g, ':$1'),
        }),
    );
    expect(missing).toEqual([]);
  });
});

test('/docs/json names every route that answers with anything but 405', async () => {
  const { paths } = (await app.inject('/docs/json')).json<{ paths: Record<string, object> }>();
  const named = new Set(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => nameless(method, path)),
    ),
  );
  const routes = routesOf(app.printRoutes({ commonPrefix: false }));
  const all = new Set(routes.map(({ method, path }) => nameless(method, path)));
  for (const one of named) expect(all).toContain(one);
  const unnamed = routes.filter(
    (route) => !isPage(route) && !isImplied(route) && !named.has(nameless(route.method, route.path)),
  );
  for (const { method, path } of unnamed) {
    const { statusCode } = await app.inject({
      method: method,
      url: path,
    });
    expect([method, path, statusCode]).toEqual([method, path, 405]);
  }
});
