/** The discovery app over a snapshot of a hundred thousand instances: how soon it is ready, what it takes, how long it blocks. */
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { DiskStore, Registry } from '@mesh/discovery-server';
import { identityOf, readConfig } from '@mesh/service-kit';
import { figure } from '../../../tools/contest.mts';
import { buildApp } from '../src/app.ts';
import { discoveryConfig } from '../src/config.ts';

const count = 100_000;
const folder = await mkdtemp(join(tmpdir(), 'discovery-app-'));
const path = join(folder, 'registry.snapshot');
// Somebody listens at 127.x.y.z, or the app would find out that all of them are dead.
const listener = fork(join(import.meta.dirname, 'listener.ts'));
const port = await new Promise<number>((resolve) =>
  listener.once('message', (message) => {
    resolve(Number(message));
  }),
);

async function writeSnapshot(): Promise<void> {
  const registry = new Registry({ maximumInstances: count });
  const store = new DiskStore(path);
  await store.attach(registry);
  for (let at = 0; at < count; at++) {
    const host = `127.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
    registry.register({ name: `service-${at % 1000}`, host, port, heartbeatInterval: 600 });
  }
  await store.close();
  registry.close();
}

const settings = { LOG_LEVEL: 'silent', REGISTRY_URL: pathToFileURL(path).href };
const start = async () => {
  const config = readConfig(discoveryConfig, settings);
  const app = await buildApp(config, { identity: identityOf('discovery', 3000) });
  await app.ready();
  return app;
};

function megabytes(): number {
  for (let turn = 0; turn < 3; turn++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1e6;
}

// Once without instances, so that nothing is loaded and compiled for the first time while it is measured.
await (await start()).close();
const emptyMs = performance.now();
await (await start()).close();
const withoutMs = performance.now() - emptyMs;
await writeSnapshot();

const before = megabytes();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
await sleep(50);
delay.reset();
const startMs = performance.now();
const app = await start();
const readyMs = performance.now() - startMs;
const block = delay.max / 1e6 - 1;
console.log('\nthe discovery app, 100 000 restored instances in 1 000 services');
figure('ready after (ms)', readyMs, 5000);
figure('... of which without instances (ms)', withoutMs);
figure('the longest block until then (ms)', block);
figure('memory when ready (MB)', megabytes() - before, 400);
const { instances } = (await app.inject('/health')).json<{ instances: number }>();
if (instances !== count) throw new Error(`restored ${instances} of ${count}`);
// What the collection above has held up shall not count.
await sleep(50);
delay.reset();
const cpu = process.cpuUsage();
const from = performance.now();
await sleep(60_000);
const { user, system } = process.cpuUsage(cpu);
figure('the minute after: % of a core', (user + system) / 10 / (performance.now() - from));
figure('... the longest block (ms)', delay.max / 1e6 - 1);
figure('... memory, everybody asked (MB)', megabytes() - before);
delay.disable();
await app.close();
listener.disconnect();
await rm(folder, { recursive: true });
