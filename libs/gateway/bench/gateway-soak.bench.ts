/**
 * A gateway process under a mixed load for a long time: good answers, streams, uploads, instances that fail, and half of the clients going
 * away in the middle. Every ten seconds the load rests until nothing is in flight; what is held then must not grow from sample to sample.
 *
 *   npm run bench -- gateway-soak                 one hour
 *   npm run bench -- gateway-soak --minutes=5     the short one
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { figure } from '../../../tools/contest.mts';
import { Contender } from './contender.ts';
import { freePort } from './contenders/native.mts';
import { reachable } from './reachable.ts';
import { slopeOf } from './slope.ts';
import { SoakLoad } from './soak-load.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '60' },
    every: { type: 'string', default: '10' },
    clients: { type: 'string', default: '64' },
  },
});
const minutes = Number(options.minutes);
const everyMs = Number(options.every) * 1_000;

/** By how much each may rise from the first sample to the last, along the line through all of them. */
const mayRise: Readonly<Record<string, number>> = {
  heapMB: 2,
  externalMB: 2,
  sockets: 16,
  timers: 4,
  otherHandles: 2,
  listenersOfASocket: 1,
};

const ports = [await freePort(), await freePort(), await freePort()];
const service = fork(join(import.meta.dirname, 'soak-service.mts'), ports.map(String));
for (const port of ports) await reachable(port);
const gateway = await Contender.start(
  'ours-soak',
  ports.map((port) => `http://127.0.0.1:${port}`),
);
const load = new SoakLoad(gateway.origin, Number(options.clients));

async function openAtInstances(): Promise<number> {
  const answered = once(service, 'message');
  service.send('open');
  return Number((await answered)[0]);
}

/** Waits until no request is open at the instances; resolves with how long that took, at most a second. */
async function quiet(): Promise<number> {
  const started = performance.now();
  while ((await openAtInstances()) > 0 && performance.now() - started < 1_000) await pause(2);
  return performance.now() - started;
}

type Sample = Readonly<Record<string, number>>;

async function sample(): Promise<Sample> {
  await load.stop();
  await quiet();
  // What ends with the last requests ends within a turn or two.
  await pause(100);
  return { ...(await gateway.vitals()), openAtInstances: await openAtInstances() };
}

const samples: Sample[] = [];
const end = performance.now() + minutes * 60_000;
// The first minute, or the first fifth of a short run, fills pools and caches.
load.start();
await pause(Math.min(60_000, minutes * 12_000));
while (performance.now() < end) {
  samples.push(await sample());
  load.start();
  await pause(everyMs);
}
const last = await sample();
samples.push(last);

await load.giveUp(500);
const givenUpMs = await quiet();
load.close();
await pause(500);
const after = await gateway.vitals();

console.log(`\n${minutes} minutes, ${load.asked} requests, ${load.aborted} given up by their clients\n`);
console.log(
  '| held at rest | first | last | rise over the run | may rise |\n| --- | ---: | ---: | ---: | ---: |',
);
for (const [name, limit] of Object.entries(mayRise)) {
  const values = samples.map((one) => one[name] ?? NaN);
  const rise = slopeOf(values) * (values.length - 1);
  console.log(
    `| ${name} | ${values[0]?.toFixed(1)} | ${values.at(-1)?.toFixed(1)} | ${rise.toFixed(2)} | ${limit} |`,
  );
  if (!(rise <= limit)) process.exitCode = 1;
}
console.log();
const worst = (name: string): number => Math.max(...samples.map((one) => one[name] ?? NaN));
figure('in flight at rest, the worst sample', worst('inFlight'), 0);
figure('slots of the overload protection taken at rest, the worst sample', worst('slots'), 0);
figure('requests open at the instances at rest, the worst sample', worst('openAtInstances'), 0);
figure('permits that were never given back, the worst sample', worst('lostPermits'), 0);
figure(
  'answers of sound instances that were not 200',
  [...load.faults.values()].reduce((a, b) => a + b, 0),
  0,
);
for (const [fault, count] of load.faults) console.log(`          ${fault}: ${count}`);
figure(`${options.clients} clients gone at once: ms until no instance works for them`, givenUpMs, 50);
figure('in flight and slots taken after that', (after.inFlight ?? NaN) + (after.slots ?? NaN), 0);

await gateway.end();
service.disconnect();
