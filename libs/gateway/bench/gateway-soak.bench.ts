/**
 * A gateway process under a load of everything that a gateway does (`soak-load.ts`), while instances come and go and its routes change
 * every second. Every ten seconds the load rests until nothing is in flight; what is held then must not grow from sample to sample. Nothing
 * here is timed, so other work may run beside it.
 *
 *   npm run soak                                         one hour
 *   npm run bench -- gateway-soak --minutes=5            the short one
 *   npm run bench -- gateway-soak --minutes=5 --leak=map it must fail: map, emitter, listener, socket-listener, timer
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
    leak: { type: 'string' },
  },
});
const minutes = Number(options.minutes);
const everyMs = Number(options.every) * 1_000;

/** By how much each may rise from the first sample to the last, along the line through all of them. */
const mayRise: Readonly<Record<string, number>> = {
  // Compiled code, and bounded tables that fill, take up to 2 MB in an hour; 16 bytes kept of each request are 4 MB in five minutes.
  heapMB: 4,
  externalMB: 2,
  sockets: 16,
  descriptors: 16,
  timersBesideSockets: 4,
  otherHandles: 2,
  listenersOfASocket: 1,
  otherListeners: 1,
};

/** What must be nothing whenever the load rests. */
const mustBeNone: Readonly<Record<string, string>> = {
  inFlight: 'in flight at rest, the worst sample',
  slots: 'slots of the overload protection taken at rest, the worst sample',
  openAtInstances: 'requests and tunnels open at the instances at rest, the worst sample',
  lostPermits: 'permits that were never given back, the worst sample',
};

// Three sound instances, one that comes and goes, and one where often nobody listens.
const ports = await Promise.all(Array.from({ length: 5 }, freePort));
const service = fork(join(import.meta.dirname, 'soak-service.mts'), ports.map(String));
for (const port of ports) await reachable(port);
const gateway = await Contender.start(
  'ours-soak',
  ports.map((port) => `http://127.0.0.1:${port}`),
  options.leak === undefined ? [] : [`--import=${import.meta.resolve('./soak-leak.mts')}?${options.leak}`],
);
const load = new SoakLoad(gateway.origin, Number(options.clients));

async function openAtInstances(): Promise<number> {
  const answered = once(service, 'message');
  service.send('open');
  return Number((await answered)[0]);
}

type Sample = Readonly<Record<string, number>>;

/** Waits until nothing is open; what is still open after half a minute is never going to end. */
async function sample(): Promise<Sample> {
  await load.stop();
  for (let waits = 0; waits < 300 && (await openAtInstances()) > 0; waits++) await pause(100);
  // What ends with the last requests ends within a turn or two; on a machine with other work these take their time.
  for (let waits = 0; waits < 50; waits++) {
    await pause(200);
    const { inFlight = 0, slots = 0 } = await gateway.vitals();
    if (inFlight + slots === 0) break;
  }
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
samples.push(await sample());
load.close();
await gateway.end();
service.disconnect();

console.log(`\n${minutes} minutes\n`);
console.log(
  '| what is done | as it must end | left by the client, or shed | otherwise |\n| --- | ---: | ---: | --- |',
);
for (const { what, good, left, bad } of load.report) console.log(`| ${what} | ${good} | ${left} | ${bad} |`);

console.log(
  '\n| held at rest | first | last | rise over the run | may rise |\n| --- | ---: | ---: | ---: | ---: |',
);
for (const [name, limit] of Object.entries(mayRise)) {
  const values = samples.map((one) => one[name] ?? NaN);
  const rise = slopeOf(values) * (values.length - 1);
  const verdict = rise <= limit ? limit : `${limit}: LEAK`;
  const cells = [values[0]?.toFixed(1), values.at(-1)?.toFixed(1), rise.toFixed(2), verdict];
  console.log(`| ${name} | ${cells.join(' | ')} |`);
  if (!(rise <= limit)) process.exitCode = 1;
}
console.log('\nsample by sample:');
for (const name of Object.keys(mayRise)) {
  console.log(`  ${name}: ${samples.map((one) => (one[name] ?? NaN).toFixed(1)).join(' ')}`);
}
console.log();
for (const [name, what] of Object.entries(mustBeNone)) {
  figure(what, Math.max(...samples.map((one) => one[name] ?? NaN)), 0);
}
// Connections come and go with their listeners: no line rises, but none may carry many. Ten are usual.
figure(
  'listeners of one socket, the worst sample',
  Math.max(...samples.map((one) => one['listenersOfASocket'] ?? NaN)),
  14,
);
figure('kinds that never ended as they must', load.report.filter(({ good }) => good === 0).length, 0);
figure('kinds that ended otherwise', load.report.filter(({ bad }) => bad !== '').length, 0);
