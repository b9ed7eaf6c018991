import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import {
  boolean,
  ConfigError,
  durationMs,
  isConfigError,
  isLoopback,
  port,
  readConfig,
  serviceSettings,
  url,
} from './config.ts';

const schema = z.object({
  ...serviceSettings,
  PORT: port(4000),
  DATABASE_URL: url('sqlite:./notes.db', ['sqlite', 'postgres']),
  CACHE_MS: durationMs(500),
  SEED: boolean(true),
});

function faultsOf(env: Record<string, string | undefined>): string[] {
  try {
    readConfig(schema, env);
  } catch (error) {
    if (isConfigError(error)) return error.faults.map(({ path, message }) => `${path} ${message}`);
    throw error;
  }
  return [];
}

describe('readConfig', () => {
  test('has a default for everything', () => {
    expect(readConfig(schema, {})).toEqual({
      PORT: 4000,
      HOST: '127.0.0.1',
      LOG_LEVEL: 'info',
      DISCOVERY_URL: 'http://localhost:3000',
      HEARTBEAT_INTERVAL: 30,
      GRACE_PERIOD_MS: 10_000,
      LEAVE_DELAY_MS: 300,
      STREAM_CLOSE_MS: 300,
      CORS_ORIGIN: '*',
      BODY_LIMIT: 1_048_576,
      DATABASE_URL: 'sqlite:./notes.db',
      CACHE_MS: 500,
      SEED: true,
    });
  });

  test('reads what is set; set to nothing is not set; other variables are none of its business', () => {
    const config = readConfig(schema, {
      PORT: '0',
      HOST: '',
      LOG_LEVEL: 'warn',
      SEED: 'no',
      DATABASE_URL: 'postgres://db/notes',
      CORS_ORIGIN: 'https://a.example, http://localhost:8000',
      PATH: '/usr/bin',
    });
    expect(config).toMatchObject({
      PORT: 0,
      HOST: '127.0.0.1',
      LOG_LEVEL: 'warn',
      SEED: false,
      DATABASE_URL: 'postgres://db/notes',
      CORS_ORIGIN: ['https://a.example', 'http://localhost:8000'],
    });
    expect(config).not.toHaveProperty('PATH');
  });

  test('is frozen, down to its lists', () => {
    const config = readConfig(schema, { CORS_ORIGIN: 'https://a.example' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.CORS_ORIGIN)).toBe(true);
  });

  test('reports all faults at once, each with its variable, on one line', () => {
    const env = {
      PORT: '80800',
      LOG_LEVEL: 'loud',
      DISCOVERY_URL: 'localhost:3000',
      HEARTBEAT_INTERVAL: '0',
      CACHE_MS: '-1',
      SEED: 'maybe',
      CORS_ORIGIN: 'https://a.example/path',
      HOST: '0.0.0.0',
      BODY_LIMIT: '1e6',
    };
    expect(faultsOf(env)).toEqual([
      'PORT must be a whole number from 0 to 65535',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
      'DISCOVERY_URL must be the address of a registry (http, https, consul, dns, static)',
      'HEARTBEAT_INTERVAL must be a whole number from 1 to 3600',
      'CORS_ORIGIN must be *, none or origins such as https://shop.example, separated by commas',
      'BODY_LIMIT must be a whole number from 1 to 1073741824',
      'CACHE_MS must be a whole number from 0 to 86400000',
      'SEED must be true or false',
      'MESH_TOKEN is needed because HOST 0.0.0.0 is reachable from other machines',
    ]);
    expect(() => readConfig(schema, env)).toThrow(ConfigError);
    expect(() => readConfig(schema, env)).toThrow(/^configuration: PORT must [^\n]*; MESH_TOKEN [^\n]*$/);
  });

  test('does not repeat a secret', () => {
    expect(faultsOf({ MESH_TOKEN: 'hunter2', DATABASE_URL: 'mysql://root:hunter2@db' }).join()).not.toContain(
      'hunter2',
    );
  });

  test('a registry takes no password from its address, which would stand in every log', () => {
    const [fault = '', ...others] = faultsOf({ DISCOVERY_URL: 'http://me:hunter2@localhost:3000' });
    expect([fault, others]).toEqual(['DISCOVERY_URL must hold no password; use MESH_TOKEN', []]);
  });

  test.each([
    'http://a:3000,http://b:3000',
    'consul://localhost:8500',
    'dns:///{name}.shop.svc.cluster.local?port=8080',
    'static:user-service=10.0.0.1:4000',
    'static:/etc/mesh/services.json',
  ])('a registry may be %s', (address) => {
    expect(faultsOf({ DISCOVERY_URL: address })).toEqual([]);
  });

  test('what is there but of the wrong kind is not called missing', () => {
    const counts = z.object({ COUNT: z.coerce.number() });
    expect(() => readConfig(counts, { COUNT: 'many' })).toThrow(/^configuration: COUNT (?!is missing)/);
  });

  test('names what is missing', () => {
    const needs = z.object({ API_KEY: z.string() });
    expect(() => readConfig(needs, {})).toThrow('configuration: API_KEY is missing');
  });
});

describe('a host that other machines reach', () => {
  test.each(['0.0.0.0', '::', '192.168.1.4', 'db.internal', '127.0.0.1.example.com', '1270.0.0.1'])(
    '%s needs a token',
    (host) => {
      expect(faultsOf({ HOST: host })).toHaveLength(1);
      expect(faultsOf({ HOST: host, MESH_TOKEN: 'a'.repeat(16) })).toEqual([]);
      expect(faultsOf({ HOST: host, MESH_TOKEN: 'short' })).toEqual([
        'MESH_TOKEN must be at least 16 characters',
      ]);
    },
  );

  test.each(['127.0.0.1', '127.8.8.8', 'localhost', 'LOCALHOST', '::1', '[::1]'])('%s does not', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(faultsOf({ HOST: host })).toEqual([]);
  });

  test('also when it is the default of the application', () => {
    const open = z.object({ ...serviceSettings, HOST: z.string().default('0.0.0.0') });
    expect(() => readConfig(open, {})).toThrow('MESH_TOKEN is needed');
  });
});

test('a port is its digits and nothing else', () => {
  const ports = z.object({ PORT: port(1) });
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: -10, max: 70_000 }).map(String), fc.string()), (text) => {
      const valid = text === '' || (/^\d{1,15}$/.test(text) && Number(text) <= 65_535);
      if (valid) expect(readConfig(ports, { PORT: text }).PORT).toBe(text === '' ? 1 : Number(text));
      else expect(() => readConfig(ports, { PORT: text })).toThrow(ConfigError);
    }),
  );
});
