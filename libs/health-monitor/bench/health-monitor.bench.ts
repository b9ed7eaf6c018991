/** What a monitor costs, how late it is, what it blames and what it finds. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { figure } from '../../../tools/contest.mts';
import { AnomalyDetector, HealthMonitor, LatencySketch, type Check, type Target } from '../src/index.ts';
import { MonitoredTarget } from '../src/monitored-target.ts';
import { readTarget } from '../src/target.ts';
import { score } from '../src/testing/detection-score.ts';
import { labelledSeries, type AnomalyKind } from '../src/testing/labelled-series.ts';

const gc = globalThis.gc ?? (() => undefined);
const lognormal = (): number =>
  20 * Math.exp(0.5 * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()));
const latencies = Float64Array.from({ length: 65_536 }, lognormal);

let now = 1_700_000_000_000;
const around = {
  clock: { now: () => now },
  random: Math.random,
  roundMs: () => 0,
  siblingsOf: () => [],
  checked: () => undefined,
};
const targetOf = (id: string): MonitoredTarget =>
  new MonitoredTarget(readTarget({ id, check: () => undefined }, {}, []), around);

console.log('\none sample: outcome in five windows, latency in three sketches, anomaly detectors');
const measured = targetOf('measured');
const sketch = new LatencySketch();
let turn = 0;
/** The quietest of some rounds: nothing but disturbance makes one slower. */
function quietNs(once: () => void): number {
  const rounds = Array.from({ length: 15 }, () => {
    const start = performance.now();
    for (let index = 0; index < 50_000; index++) once();
    return ((performance.now() - start) * 1e6) / 50_000;
  });
  return Math.min(...rounds);
}
figure(
  'ns a sample, everything of a target',
  quietNs(() => {
    now += 10;
    measured.record(true, latencies[turn++ & 65_535] ?? 0);
  }),
  1000,
);
figure(
  'ns a sample, one latency sketch',
  quietNs(() => {
    sketch.add(latencies[turn++ & 65_535] ?? 0);
  }),
);
const detector = new AnomalyDetector();
figure(
  'ns a value, the anomaly detectors',
  quietNs(() => {
    detector.push(latencies[turn++ & 65_535] ?? 0, (now += 10_000));
  }),
  1000,
);

console.log('\nmemory');
function worst(): MonitoredTarget {
  const target = targetOf('busy');
  for (let index = 0; index < 200_000; index++) {
    now += 1000;
    target.record(index % 50 !== 0, lognormal());
  }
  return target;
}
const { outcomes, latency, anomaly } = worst().bytesBySeries;
figure('bytes, availability, errors and throughput of five windows', outcomes, 4096);
figure('bytes, latency of three windows, 200 000 lognormal samples', latency, 4096);
figure('bytes, anomaly detectors', anomaly, 4096);
function memoryBytes(): number {
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
const before = memoryBytes();
const crowd = Array.from({ length: 2000 }, (_, index) => targetOf(`t${index}`));
const kilobytes = (): number => (memoryBytes() - before) / crowd.length / 1000;
figure('kB a target with everything, before its first check', kilobytes());
let checks = 0;
for (const until of [30, 400]) {
  for (; checks < until; checks++) {
    now += 10_000;
    for (const target of crowd) target.record(true, lognormal());
  }
  figure(`... after ${until} checks`, kilobytes());
}

console.log('\n10 000 targets at 10 s, requests by undici, against the same requests alone');
const server = fork(join(import.meta.dirname, 'health-server.ts'));
const port = await new Promise<number>((resolve) =>
  server.once('message', (message) => {
    resolve(Number(message));
  }),
);
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 32 });
const ask = async (): Promise<void> => {
  const { body } = await pool.request({ method: 'GET', path: '/health' });
  await body.text();
};
interface Cost {
  readonly requests: number;
  readonly cpuMs: number;
}
async function costOf(run: () => Promise<number>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const requests = await run();
  const { user, system } = process.cpuUsage(cpu);
  return { requests, cpuMs: (user + system) / 1000 };
}
/** As evenly spread as the monitor spreads them: a thousand a second. */
async function bare(seconds: number): Promise<number> {
  const start = performance.now();
  const under: Promise<void>[] = [];
  while (under.length < seconds * 1000) {
    while (under.length < Math.min(seconds * 1000, performance.now() - start)) under.push(ask());
    await sleep(10);
  }
  await Promise.all(under);
  return under.length;
}
let asked = 0;
const check: Check = async () => {
  asked++;
  await ask();
  return undefined;
};
const monitor = new HealthMonitor({
  targets: Array.from({ length: 10_000 }, (_, index) => ({
    id: `target-${index}`,
    service: `service-${index % 100}`,
    check,
    alertThresholds: { responseTime: 1000, errorRate: 0.1, availability: 0.9 },
  })),
});
await bare(2);
const alone = await costOf(() => bare(6));
await monitor.start();
// Once round: from then on it is the same every ten seconds.
await sleep(11_000);
const watched = await costOf(async () => {
  const from = asked;
  await sleep(10_000);
  return asked - from;
});
const { latenessMs } = monitor.health;
await monitor.close();
const aloneAgain = await costOf(() => bare(6));
const bareUs = ((alone.cpuMs + aloneAgain.cpuMs) * 1000) / (alone.requests + aloneAgain.requests);
const watchedUs = (watched.cpuMs * 1000) / watched.requests;
figure('checks a second', watched.requests / 10);
figure('CPU of a bare request, us', bareUs);
figure('CPU of a check, request included, us', watchedUs);
figure('CPU of a check / of a bare request', watchedUs / bareUs, 1.3);
figure('lateness p50, ms', latenessMs.p50 ?? NaN);
figure('lateness p99, ms', latenessMs.p99 ?? NaN, 200);

console.log('\n1 of 100 targets hangs');
const started = new Map<string, number>();
let delayed = 0;
const hang: Check = () => new Promise(() => undefined);
const watchful = new HealthMonitor({
  rules: [],
  targets: Array.from({ length: 10_000 }, (_, index): Target => {
    const id = `target-${index}`;
    if (index % 100 === 0) return { id, check: hang };
    return {
      id,
      check: async () => {
        // Without what this process slept through: a busy machine is not the fault of those that hang.
        const at = performance.now() - watchful.health.stalledMs;
        if (at - (started.get(id) ?? at) > 10_200) delayed++;
        started.set(id, at);
        await sleep(5);
        return undefined;
      },
    };
  }),
});
await watchful.start();
await sleep(21_000);
figure('targets that hang', watchful.targets.filter(({ status }) => status === 'down').length);
figure('other targets that began more than 200 ms late', delayed, 0);
figure('lateness p99, ms', watchful.health.latenessMs.p99 ?? NaN, 200);
await watchful.close();

console.log('\nthe process stands still for 5 s');
const alerts = new Set<string>();
const stalled = new HealthMonitor({
  defaults: { intervalMs: 1000, timeoutMs: 500, fall: 1 },
  targets: Array.from({ length: 500 }, (_, index) => ({ id: `target-${index}`, check })),
});
stalled.on('alert', ({ alert }) => {
  if (alert !== undefined) alerts.add(alert.id);
});
await stalled.start();
await sleep(3000);
const until = performance.now() + 5000;
while (performance.now() < until);
await sleep(3000);
figure('stalls noticed', stalled.health.stalls);
figure('alerts raised', alerts.size, 0);
await stalled.close();
await pool.close();
server.disconnect();

console.log('\nanomalies, made-up series of seeds that nothing was tuned on');
const kinds: readonly AnomalyKind[] = ['spike', 'shift', 'drift', 'season', 'variance'];
const sums = { labels: 0, found: 0, alarms: 0, falseAlarms: 0 };
const missing = (value: number): number => 1 - value;
for (const kind of kinds) {
  const scores = [101, 102, 103, 104].map((seed) => score(labelledSeries(kind, seed)));
  const sum = (field: keyof typeof sums): number => scores.reduce((total, one) => total + one[field], 0);
  for (const field of Object.keys(sums) as (keyof typeof sums)[]) sums[field] += sum(field);
  const delay = scores.map((one) => one.delay).sort((a, b) => a - b)[2] ?? NaN;
  const recall = (sum('found') / sum('labels')).toFixed(3);
  const precision = (1 - sum('falseAlarms') / sum('alarms')).toFixed(3);
  console.log(
    `         ${kind.padEnd(10)} recall ${recall}  precision ${precision}  noticed after ${delay} samples`,
  );
}
figure('missed (1 - recall)', missing(sums.found / sums.labels), 0.1);
figure('false (1 - precision)', sums.falseAlarms / sums.alarms, 0.05);
const calm = [101, 102, 103, 104, 105, 106].map((seed) => score(labelledSeries('calm', seed)).alarms);
figure('false alarms in a calm month, mean of six', calm.reduce((sum, one) => sum + one, 0) / calm.length, 1);
