/**
 * Watches and sessions that are opened and torn down: heap and sockets must be afterwards where they were before.
 * `CYCLES=100000 npm run bench -- watch-churn` for the long run.
 */
import { DiscoveryClient } from '@mesh/discovery-client';
import Fastify from 'fastify';
import { get } from 'node:http';
import { figure } from '../../../tools/contest.mts';
import { discoveryServer, Registry, WatchHub } from '../src/index.ts';

const cycles = Number(process.env['CYCLES'] ?? 20_000);
const atOnce = 20;

const registry = new Registry();
const watchHub = new WatchHub(registry);
const app = Fastify();
await app.register(discoveryServer, { registry, watchHub });
const url = await app.listen({ host: '127.0.0.1', port: 0 });
registry.register({ name: 'users', host: '127.0.0.1', port: 4000 });

/** Connects, reads the beginning, and goes without a word: every second one by a reset. */
function churn(cycle: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/watch?services=users`, { agent: false }, (answer) => {
      answer.once('data', () => {
        if (cycle % 2 === 0) answer.socket.resetAndDestroy();
        else answer.destroy();
      });
      answer.once('close', resolve);
      answer.on('error', () => undefined);
    });
    request.on('error', reject);
  });
}

/** A whole client: looks up, registers, watches, holds a session, closes. */
async function visit(): Promise<void> {
  const client = new DiscoveryClient({ serverUrl: url });
  await client.register({ name: 'users', port: 4001, host: '127.0.0.1' });
  await client.resolve('users');
  await client.close();
}

async function run(count: number): Promise<void> {
  for (let done = 0; done < count; done += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, index) => churn(done + index)));
  }
  for (let done = 0; done < count / 100; done++) await visit();
}

const connections = (): Promise<number> =>
  new Promise((resolve) => {
    app.server.getConnections((_, count) => {
      resolve(count);
    });
  });

async function rest(): Promise<number> {
  for (let turn = 0; turn < 50; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}

await run(Math.min(cycles, 5000));
const before = await rest();
const openBefore = await connections();
const startedAt = performance.now();
await run(cycles);
const seconds = (performance.now() - startedAt) / 1000;
const after = await rest();
console.log(
  `\nwatch-churn: ${cycles} watches opened and torn down, ${cycles / 100} clients, ${seconds.toFixed(1)} s`,
);
figure('bytes of heap that each cycle left', Math.max(0, after - before) / cycles, 20);
figure('watchers that are left', watchHub.size, 0);
figure('connections more than before', Math.max(0, (await connections()) - openBefore), 2);
await app.close();
registry.close();
