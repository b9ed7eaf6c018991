import { expect, test } from '@jest/globals';
import { defineMesh, resolveServices, type MeshConfig, type ServiceDefinition } from './definition.ts';
import { isMeshConfigError, MeshConfigError } from './mesh-config-error.ts';

const run = ['node', 'x.js'];
const one = (definition: Partial<ServiceDefinition>): MeshConfig => ({
  services: { one: { command: run, ...definition } },
});

const faults: readonly (readonly [fault: string, config: MeshConfig])[] = [
  ['mesh: services must name at least one service', { services: {} }],
  ['mesh: service "Bad_Name": its name', { services: { Bad_Name: { command: run } } }],
  ['mesh: service "one": command must name a program', one({ command: [] })],
  ['mesh: service "one": command must name a program', one({ command: [''] })],
  ['mesh: service "one": ports must lie in 1..65535, got 0', one({ ports: 0 })],
  ['mesh: service "one": ports must lie in 1..65535, got 80.5', one({ ports: 80.5 })],
  [
    'mesh: service "one": ports must lie in 1..65535, got 65534..65536',
    one({ ports: { from: 65_534, count: 3 } }),
  ],
  [
    'mesh: service "one": ports.count must be an integer from 1 to 1000, got 0',
    one({ ports: { from: 80, count: 0 } }),
  ],
  ['mesh: service "one": dependsOn names "two", which is not a service', one({ dependsOn: ['two'] })],
  [
    'mesh: service "one": dependsOn names "toString", which is not a service',
    one({ dependsOn: ['toString'] }),
  ],
  ['mesh: service "one": uses names "two", which is not a service', one({ uses: ['two'] })],
  ['mesh: service "one": dependsOn names the service itself', one({ dependsOn: ['one'] })],
  ['mesh: service "one": health must begin with "/", got "health"', one({ health: 'health' })],
  [
    'mesh: service "one": restart must be "on-failure" or "never", got "always"',
    one({ restart: 'always' as 'never' }),
  ],
  [
    'mesh: service "one": startTimeoutMs must be a number of milliseconds > 0, got 0',
    one({ startTimeoutMs: 0 }),
  ],
  [
    'mesh: service "one": stopTimeoutMs must be a number of milliseconds > 0, got NaN',
    one({ stopTimeoutMs: NaN }),
  ],
  [
    'mesh: service "one": serviceName is given, but the configuration names no registry',
    one({ serviceName: 'one' }),
  ],
  ['mesh: registry names "two", which is not a service', { ...one({}), registry: 'two' }],
  ['mesh: registry names "one", which has no port', { ...one({}), registry: 'one' }],
  [
    'mesh: services "a" and "b" both declare port 4001',
    { services: { a: { command: run, ports: { from: 4000, count: 2 } }, b: { command: run, ports: 4001 } } },
  ],
  [
    'mesh: services depend on each other: a -> b -> a',
    { services: { a: { command: run, dependsOn: ['b'] }, b: { command: run, uses: ['a'] } } },
  ],
];

test.each(faults)('%s', (message, config) => {
  let thrown: unknown;
  try {
    defineMesh(config);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(MeshConfigError);
  expect(thrown).toBeInstanceOf(RangeError);
  expect((thrown as Error).message).toContain(message);
  expect(isMeshConfigError(thrown)).toBe(true);
});

test('a sound configuration is returned as it is', () => {
  const config = one({ ports: 4000 });
  expect(defineMesh(config)).toBe(config);
});

test('defaults are filled in, and the services come in start order', () => {
  const services = resolveServices({
    services: {
      gateway: { command: run, ports: 8000, dependsOn: ['discovery'], uses: ['user'] },
      user: { command: run, ports: { from: 4000, count: 3 }, dependsOn: ['discovery'], env: { A: '1' } },
      discovery: { command: run, ports: 3000 },
    },
  });
  expect(services.map(({ name }) => name)).toEqual(['discovery', 'user', 'gateway']);
  expect(services[1]).toMatchObject({
    ports: [4000, 4001, 4002],
    needs: ['discovery'],
    health: '/health',
    restart: 'on-failure',
    startTimeoutMs: 30_000,
    stopTimeoutMs: 5000,
  });
  expect(services[1]?.env({ port: 1, instance: '', url: () => '' })).toEqual({ A: '1' });
  expect(services[2]?.needs).toEqual(['discovery', 'user']);
});
