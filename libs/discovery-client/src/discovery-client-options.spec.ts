import { expect, test } from '@jest/globals';
import { readOptions } from './discovery-client-options.ts';

test('defaults are those of the documentation', () => {
  expect(readOptions()).toMatchObject({
    serverUrl: 'http://localhost:3000',
    defaultHeartbeatInterval: 30,
    cacheMultiplier: 2,
    requestTimeoutMs: 5000,
    watch: true,
    token: undefined,
  });
});

test.each([
  [{ serverUrl: 'ftp://registry' }, /serverUrl .* got ftp:\/\/registry/],
  [{ serverUrl: 'registry' }, /serverUrl/],
  [{ serverUrl: 'http://me:secret@registry:3000' }, /^(?!.*secret).*credentials/],
  [{ defaultHeartbeatInterval: 0 }, /defaultHeartbeatInterval must be from 0.05 to 3600, got 0/],
  [{ defaultHeartbeatInterval: Number.NaN }, /defaultHeartbeatInterval .* got NaN/],
  [{ cacheMultiplier: -1 }, /cacheMultiplier/],
  [{ requestTimeout: 0 }, /requestTimeout/],
  [{ requestTimeout: Infinity }, /requestTimeout/],
])('%j is refused by name', (options, message) => {
  expect(() => readOptions(options)).toThrow(RangeError);
  expect(() => readOptions(options)).toThrow(message);
});

test('a path in front of the routes is kept, trailing slashes are not', () => {
  expect(readOptions({ serverUrl: 'http://registry:3000/mesh/' }).serverUrl).toBe(
    'http://registry:3000/mesh',
  );
});

test('a listener that throws hurts nobody', () => {
  const settings = readOptions({
    onEvent() {
      throw new Error('listener');
    },
  });
  expect(() => {
    settings.emit({ type: 'connected' });
  }).not.toThrow();
});
