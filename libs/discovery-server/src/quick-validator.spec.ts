import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isUsualBeat, quickValidator } from './quick-validator.ts';
import { heartbeatBody, heartbeatsBody, noQuery, serviceParams } from './schemas.ts';

const texts = fc.oneof(
  fc.string({ maxLength: 70 }),
  fc.stringMatching(/^[a-z0-9-]{0,70}$/),
  fc.constantFrom('user-service', '__proto__', 'constructor', 'prototype', '-a', 'a-', '', 'A', 'ü'),
  fc.constantFrom('127.0.0.1', '::1', '[::1]', '1.2.3.4.', 'Host.example', 'a..b', '_x', 'a'.repeat(256)),
);
const numbers = fc.oneof(
  fc.integer({ min: -2, max: 70_000 }),
  fc.double({ min: -1, max: 4000 }),
  fc.constantFrom(NaN, Infinity, 0, -0, 0.05, 3600, 1.5),
);
const values = fc.oneof(texts, numbers, fc.boolean(), fc.constantFrom(null, {}, []));
const keys = [
  'name',
  'namespace',
  'port',
  'heartbeatInterval',
  'id',
  'host',
  'incarnation',
  'healthy',
  'more',
];
const good = { name: 'user-service', port: 4000 };

/** Good but for some fields, so that both verdicts are common. */
const beats = fc
  .dictionary(fc.constantFrom(...keys), values, { maxKeys: 4 })
  .map((fields): Record<string, unknown> => ({ ...good, ...fields }));

test('what the shortcut lets pass the schema lets pass, as it is', () => {
  let passed = 0;
  fc.assert(
    fc.property(beats, (beat) => {
      const verdict = heartbeatBody.safeParse(beat);
      if (isUsualBeat(beat)) {
        passed += 1;
        expect(verdict.data).toEqual(beat);
      }
    }),
    { numRuns: 2000 },
  );
  expect(passed).toBeGreaterThan(50);
});

test('every good heartbeat takes the shortcut', () => {
  fc.assert(
    fc.property(beats, (beat) => {
      expect(isUsualBeat(beat)).toBe(heartbeatBody.safeParse(beat).success);
    }),
    { numRuns: 2000 },
  );
});

const validate = (schema: Parameters<typeof quickValidator>[0]['schema'], httpPart: string) =>
  quickValidator({ schema, method: 'POST', url: '/', httpPart }) as (data: unknown) => {
    value?: unknown;
    error?: Error;
  };

test.each([
  [[], false],
  [[good], true],
  [[good, good], true],
  [[good, { ...good, port: 0 }], false],
  [[good, null], false],
  [[[good]], false],
  [Array.from({ length: 1000 }, () => good), true],
  [Array.from({ length: 1001 }, () => good), false],
])('a batch passes when all of it does', (heartbeats, isGood) => {
  const { error } = validate(heartbeatsBody, 'body')({ heartbeats });
  expect(error === undefined).toBe(isGood);
  expect(validate(heartbeatsBody, 'body')({ heartbeats, more: 1 }).error).toBeDefined();
});

test('no body, another kind of body, a query where there is none', () => {
  for (const body of [undefined, null, [], 'name', 7]) {
    expect(validate(heartbeatBody, 'body')(body).error).toBeDefined();
  }
  expect(validate(serviceParams, 'params')({ name: 'constructor' }).error).toBeDefined();
  expect(validate(serviceParams, 'params')({ name: 'user-service' }).error).toBeUndefined();
  expect(validate(noQuery, 'querystring')({}).error).toBeUndefined();
  expect(validate(noQuery, 'querystring')({ a: '1' }).error).toBeDefined();
});
