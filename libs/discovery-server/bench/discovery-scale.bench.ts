/** A hundred thousand instances in a thousand services: memory, idle and busy CPU, the longest block, and a restart. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { figure } from '../../../tools/contest.mts';
import { DiskStore, Registry, WatchHub } from '../src/index.ts';

const count = 100_000;
const folder = await mkdtemp(join(tmpdir(), 'discovery-scale-'));
const path = join(folder, 'registry.snapshot');
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function registration(at: number, heartbeatInterval = 30) {
  const host = `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
  return { name: `service-${at % 1000}`, host, port: 4000, heartbeatInterval };
}

function heapBytes(): number {
  for (let turn = 0; turn < 3; turn++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** The longest time for which nothing else could run, beyond the 1 ms between two looks. */
async function longestBlockMs(run: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await sleep(20);
  delay.reset();
  await run();
  await sleep(20);
  delay.disable();
  return delay.max / 1e6 - 1;
}

async function cpuShare(ms: number, run: () => Promise<unknown> = () => sleep(ms)): Promise<number> {
  const [cpu, begin] = [process.cpuUsage(), performance.now()];
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / 1000 / (performance.now() - begin);
}

// The registry's own timers keep no process alive; a server's sockets do.
const alive = setInterval(() => undefined, 1000);

console.log('\n100 000 instances in 1 000 services');
const empty = heapBytes();
let registry = new Registry({ maximumInstances: count });
for (let at = 0; at < count; at++) registry.register(registration(at));
figure('heap for each instance (bytes)', (heapBytes() - empty) / count, 600);

// What the registrations left behind shall not count.
await sleep(1000);
figure('idle, % of a core, mean of 5 s', (await cpuShare(5000)) * 100, 0.5);

let at = 0;
const beats = async (): Promise<void> => {
  for (let tick = 0; tick < 100; tick++) {
    for (let beat = 0; beat < 300; beat++) registry.heartbeat(registration(at++ % count));
    await sleep(25);
  }
};
const begin = performance.now();
const share = await cpuShare(0, beats);
const perSecond = 30_000 / ((performance.now() - begin) / 1000);
figure('heartbeats in process, % of a core at 10 000 a second', (share * 1_000_000) / perSecond, 40);

console.log('\nthe longest block of the event loop (ms)');
const store = new DiskStore(path, { writeDelayMs: 0 });
await store.attach(registry);
figure(
  'while a snapshot is written',
  await longestBlockMs(async () => {
    registry.register({ ...registration(0), weight: 2 });
    await sleep(5);
    await store.close();
  }),
  20,
);
const { size } = await stat(path);
figure('... its size (MB)', size / 1e6);

const hub = new WatchHub(registry, { maximumBufferedBytes: 2 ** 30 });
let characters = 0;
figure(
  'while a watcher of everything is sent its snapshot',
  await longestBlockMs(async () => {
    await new Promise<void>((resolve) => {
      hub.open({
        writableLength: 0,
        write: (text) => {
          characters += text.length;
          if (text.includes('],"hashes"')) resolve();
        },
        end: () => undefined,
        destroy: () => undefined,
      });
    });
  }),
  20,
);
figure('... its size (MB)', characters / 1e6);
hub.close();
registry.close();

console.log('\na restart');
registry = new Registry({ maximumInstances: count });
const restored = new DiskStore(path);
let restoreMs = 0;
figure(
  'the longest block while it reads (ms)',
  await longestBlockMs(async () => {
    const startMs = performance.now();
    await restored.attach(registry);
    restoreMs = performance.now() - startMs;
  }),
  20,
);
figure('restored (ms)', restoreMs, 1500);
if (registry.size !== count) throw new Error(`restored ${registry.size} of ${count}`);
await restored.close();
registry.close();
await rm(folder, { recursive: true });
clearInterval(alive);
