import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { env, version } from 'node:process';
import { pathToFileURL } from 'node:url';
import { defineMesh } from '@mesh/orchestrator';

const app = (name: string) => ['node', '--conditions=@mesh/source', `apps/${name}/src/main.ts`];

/** What the environment already says wins; the rest of it (LOG_LEVEL, MESH_TOKEN, ...) is inherited as it is. */
const unlessSet = (variables: Record<string, string>) =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, env[name] ?? value]));

/**
 * A database for each service: a file of its own, or a schema of its own on the PostgreSQL that DATABASE_URL names.
 * USER_DATABASE_URL and ORDER_DATABASE_URL overrule both.
 */
function databaseOf(name: string): string {
  const own = env[`${name.toUpperCase()}_DATABASE_URL`];
  const url = env.DATABASE_URL;
  if (own !== undefined || url === undefined) return own ?? `sqlite:.mesh/data/${name}.db`;
  if (!/^postgres(ql)?:/.test(url) || /[?&]schema=/.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}schema=${name}_service`;
}

/**
 * Where the registry keeps who is there, so that a restart loses nobody. A registry on another port (`--isolated`) is another
 * registry: it must not find this one's instances.
 */
function registryFile(port: number): string {
  return pathToFileURL(join(import.meta.dirname, `.mesh/data/registry-${port}.snapshot`)).href;
}

// Compiled code that outlives its process: measured, the whole mesh is then ready in 1.9 s, not 2.6 s. A process writes
// it when it ends, and several that write all of it at once take seconds for that; so on the first run only one does.
const compileCache = join(import.meta.dirname, '.mesh/compile-cache');
const isWarm = existsSync(compileCache) && readdirSync(compileCache).some((name) => name.startsWith(version));
const cached: Record<string, string> = isWarm ? { NODE_COMPILE_CACHE: compileCache } : {};

// Longer than the time that a service gives its own last requests (GRACE_PERIOD_MS).
const stopTimeoutMs = 12_000;

export default defineMesh({
  registry: 'discovery',
  services: {
    discovery: {
      command: app('discovery'),
      ports: 3000,
      env: ({ port }) =>
        unlessSet({
          NODE_COMPILE_CACHE: compileCache,
          ALERT_FILE: '.mesh/data/alerts.json',
          REGISTRY_URL: registryFile(port),
        }),
      stopTimeoutMs,
    },
    'user-service': {
      command: app('user'),
      ports: { from: 4000, count: 3 },
      dependsOn: ['discovery'],
      serviceName: 'user-service',
      env: ({ url }) => ({
        ...unlessSet({ DISCOVERY_URL: url('discovery'), ...cached }),
        DATABASE_URL: databaseOf('user'),
      }),
      stopTimeoutMs,
    },
    'order-service': {
      command: app('order'),
      ports: { from: 5000, count: 3 },
      dependsOn: ['discovery'],
      serviceName: 'order-service',
      env: ({ url }) => ({
        ...unlessSet({ DISCOVERY_URL: url('discovery'), ...cached }),
        DATABASE_URL: databaseOf('order'),
      }),
      stopTimeoutMs,
    },
    'api-gateway': {
      command: app('gateway'),
      ports: 8000,
      dependsOn: ['discovery'],
      // It degrades without them, so it need not wait; it stops before them, so its last requests find them.
      uses: ['user-service', 'order-service'],
      serviceName: 'api-gateway',
      env: ({ url }) => unlessSet({ DISCOVERY_URL: url('discovery'), ...cached }),
      stopTimeoutMs,
    },
  },
  hints: ({ url }) => [`curl ${url('api-gateway')}/users-with-orders`],
});
