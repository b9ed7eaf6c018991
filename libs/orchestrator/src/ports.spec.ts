import { afterEach, expect, test } from '@jest/globals';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { findPortHolder } from './port-holder.ts';
import { freePorts, isPortFree, nextFreePort } from './ports.ts';

const servers: Server[] = [];

async function occupy(host: string, port = 0): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

test.each(['127.0.0.1', '0.0.0.0', '::1', '::'])('a listener on %s takes its port', async (host) => {
  const port = await occupy(host);
  expect(await isPortFree(port)).toBe(false);
});

test('a port is free again after it was looked at', async () => {
  const [port = 0] = await freePorts(1);
  expect(await isPortFree(port)).toBe(true);
  expect(await isPortFree(port)).toBe(true);
  expect(await occupy('127.0.0.1', port)).toBe(port);
});

test('free ports are all different', async () => {
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
});

test('the next free port is neither occupied nor taken', async () => {
  const port = await occupy('127.0.0.1');
  const next = await nextFreePort(port, new Set([port + 1, port + 2]));
  expect(next).toBeGreaterThan(port + 2);
  expect(await isPortFree(next)).toBe(true);
});

test('at the end of the range the system chooses', async () => {
  const next = await nextFreePort(65_535, new Set());
  expect(next).toBeLessThan(65_535);
  expect(await isPortFree(next)).toBe(true);
});

// The holder is read from /proc, which only Linux has; Jest names these tests as skipped elsewhere.
const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux.each(['127.0.0.1', '::1'])('on Linux the holder of a port on %s is named', async (host) => {
  const port = await occupy(host);
  const holder = await findPortHolder(port, 5000);
  expect(holder?.pid).toBe(process.pid);
  expect(holder?.command).toContain('node');
  expect(holder?.command.length).toBeLessThanOrEqual(120);
});

test('nobody holds a free port, and a search without time finds nobody', async () => {
  const [free = 0] = await freePorts(1);
  expect(await findPortHolder(free)).toBeUndefined();
  expect(await findPortHolder(await occupy('127.0.0.1'), -1)).toBeUndefined();
});
