import { env } from 'node:process';
import { defineMesh } from '@mesh/orchestrator';

const app = (name: string) => ['node', '--conditions=@mesh/source', `apps/${name}/src/main.ts`];

/** What the environment already says wins; the children inherit the rest of it (LOG_LEVEL, MESH_TOKEN, ...). */
const unlessSet = (name: string, value: string) => ({ [name]: env[name] ?? value });

// Longer than the time that a service gives its own last requests (GRACE_PERIOD_MS).
const stopTimeoutMs = 12_000;

export default defineMesh({
  registry: 'discovery',
  services: {
    discovery: { command: app('discovery'), ports: 3000, stopTimeoutMs },
    'user-service': {
      command: app('user'),
      ports: { from: 4000, count: 3 },
      dependsOn: ['discovery'],
      serviceName: 'user-service',
      env: ({ url }) => ({
        ...unlessSet('DISCOVERY_URL', url('discovery')),
        ...unlessSet('DATABASE_URL', 'sqlite:.mesh/data/user.db'),
      }),
      stopTimeoutMs,
    },
    'order-service': {
      command: app('order'),
      ports: { from: 5000, count: 3 },
      dependsOn: ['discovery'],
      serviceName: 'order-service',
      env: ({ url }) => ({
        ...unlessSet('DISCOVERY_URL', url('discovery')),
        ...unlessSet('DATABASE_URL', 'sqlite:.mesh/data/order.db'),
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
      env: ({ url }) => unlessSet('DISCOVERY_URL', url('discovery')),
      stopTimeoutMs,
    },
  },
  hints: ({ url }) => [`curl ${url('api-gateway')}/users-with-orders`],
});
