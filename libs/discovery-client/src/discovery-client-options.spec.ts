import { expect, test } from '@jest/globals';
import { DiscoveryClient } from './discovery-client.ts';
import { readOptions } from './discovery-client-options.ts';

test('defaults are those of the documentation', () => {
  expect(readOptions()).toMatchObject({
    serverUrls: [new URL('http://localhost:3000')],
    staleIfErrorMs: 24 * 3600_000,
    guardRatio: 0.5,
    namespace: undefined,
    session: true,
    defaultHeartbeatInterval: 30,
    cacheMultiplier: 2,
    requestTimeoutMs: 5000,
    watch: true,
    token: undefined,
  });
});

test.each([
  [{ serverUrl: 'registry' }, /serverUrl/],
  [{ serverUrl: 'http://me:secret@registry:3000' }, /^(?!.*secret).*credentials/],
  [{ defaultHeartbeatInterval: 0 }, /defaultHeartbeatInterval must be from 0.05 to 3600, got 0/],
  [{ defaultHeartbeatInterval: Number.NaN }, /defaultHeartbeatInterval .* got NaN/],
  [{ cacheMultiplier: -1 }, /cacheMultiplier/],
  [{ requestTimeout: 0 }, /requestTimeout/],
  [{ requestTimeout: Infinity }, /requestTimeout/],
  [{ serverUrl: [] }, /serverUrl must name a server/],
  [{ serverUrl: 'http://a:3000,consul://b' }, /servers of one kind, got http: and consul:/],
  [{ staleIfErrorMs: -1 }, /staleIfErrorMs must be from 0/],
  [{ guardRatio: 2 }, /guardRatio must be from 0 to 1, got 2/],
  [{ namespace: 'A b' }, /namespace must be like a service name, got A b/],
])('%j is refused by name', (options, message) => {
  expect(() => readOptions(options)).toThrow(RangeError);
  expect(() => readOptions(options)).toThrow(message);
});

test('a path in front of the routes is kept, trailing slashes are not', () => {
  const { serverUrl } = new DiscoveryClient({ serverUrl: 'http://registry:3000/mesh/' });
  expect(serverUrl).toBe('http://registry:3000/mesh');
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

test('a kind of address that nobody serves is refused with those that are', () => {
  const make = (serverUrl: string) => () => new DiscoveryClient({ serverUrl });
  expect(make('ftp://registry')).toThrow(/serverUrl must begin with http:, .*static:, got ftp:$/);
  expect(make('dns:///users')).toThrow(/it comes with @mesh\/discovery-client\/node/);
});

test('several addresses come as an array or with commas', () => {
  const hosts = (serverUrl: string | string[]) =>
    readOptions({ serverUrl }).serverUrls.map(({ host }) => host);
  expect(hosts('http://a:1, https://b:2')).toEqual(['a:1', 'b:2']);
  expect(hosts(['http://a:1', 'http://b:2'])).toEqual(['a:1', 'b:2']);
  expect(hosts('consul://a:1,consul+https://b:2')).toEqual(['a:1', 'b:2']);
});
