/**
 * How long an instance goes on working for a client that has left: from the moment in which the client closes its connection to the one in
 * which the instance hears of it, over all ways there are (no answer yet, in the middle of a stream, of an upload, of a WebSocket). Clients,
 * gateway and instances are processes of their own, and each writes down its own times on the one clock of the machine.
 *
 * The gateway's own part, from hearing of it to having closed its connection to the instance, is judged always. The whole way has the
 * waiting of three processes for a core in it; it is judged where clients that leave the instance itself are heard of at once.
 *
 *   npm run bench -- gateway-cancel
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { figure } from '../../../tools/contest.mts';
import type { Leaving, Times } from './cancel-client.mts';
import { Contender } from './contender.ts';
import { freePort } from './contenders/native.mts';
import { load } from './load.ts';
import { reachable } from './reachable.ts';
import type { Ended } from './soak-service.mts';

const goalMs = 50;

const ports = await Promise.all(Array.from({ length: 4 }, freePort));
const service = fork(join(import.meta.dirname, 'soak-service.mts'), ports.map(String));
for (const port of ports) await reachable(port);
const gateway = await Contender.start(
  'ours-cancel',
  ports.slice(0, 3).map((port) => `http://127.0.0.1:${port}`),
);
const clients = fork(join(import.meta.dirname, 'cancel-client.mts'));
const throughGateway = `${gateway.origin}/item-service`;
const toInstance = `http://127.0.0.1:${ports[0]}`;

async function ask<T>(child: ChildProcess, question: Leaving | 'open' | 'ended'): Promise<T> {
  const answered = once(child, 'message');
  child.send(question);
  return (await answered)[0] as T;
}

/** Of values that are there, in order; the share of them that lies below. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

let from = 0;

/** Lets clients leave; resolves, when nothing is open any more, with the times of those whose requests were at an instance. */
async function leave(url: string, count: number, atOnce: number) {
  const left = await ask<Times>(clients, { url, from, count, atOnce });
  from += count;
  for (let waits = 0; waits < 100 && (await ask<number>(service, 'open')) > 0; waits++) await pause(50);
  const ended = new Map((await ask<readonly Ended[]>(service, 'ended')).map((one) => [one[0], one]));
  return left.flatMap(([id, leftMs]) => {
    const [, endedMs, peer] = ended.get(id) ?? [];
    return endedMs === undefined ? [] : [{ id, leftMs, endedMs, peer }];
  });
}

/** When the gateway has closed a connection: its ports are used again, so that it is the close next to what the instance saw. */
function closeOf(vitals: Readonly<Record<string, number>>, port: number | undefined, nearMs: number): number {
  const closes = Object.entries(vitals).filter(([name]) => name.startsWith(`port ${port} `));
  const [nearest] = closes.sort(([, a], [, b]) => Math.abs(a - nearMs) - Math.abs(b - nearMs));
  return nearest?.[1] ?? NaN;
}

const held = (vitals: Readonly<Record<string, number>>): number =>
  (vitals['inFlight'] ?? NaN) + (vitals['slots'] ?? NaN);

/** What the gateway noted, once it holds nothing any more: a busy machine brings it the last news seconds late. */
async function atRest(): Promise<Readonly<Record<string, number>>> {
  for (let waits = 0; ; waits++) {
    const vitals = await gateway.vitals();
    if (held(vitals) === 0 || waits === 100) return vitals;
    await pause(100);
  }
}

/** So long may clients that leave the instance itself take to be heard of, for the whole way to mean anything, in ms. */
const atRestMs = 10;

/** Lets clients leave while something else goes on, and says what it took. */
async function measure(what: string, count: number, atOnce: number, meanwhile?: () => Promise<unknown>) {
  const running = meanwhile?.();
  const direct = await leave(toInstance, count / 4, atOnce);
  const calls = await leave(throughGateway, count, atOnce);
  await running;
  const vitals = await atRest();
  const whole = calls.map(({ leftMs, endedMs }) => endedMs - leftMs);
  const own = calls.map(
    ({ id, peer, endedMs }) => closeOf(vitals, peer, endedMs) - (vitals[String(id)] ?? NaN),
  );
  const control = quantile(
    direct.map(({ leftMs, endedMs }) => endedMs - leftMs),
    0.99,
  );
  const isCalm = control <= atRestMs;
  console.log(
    `\n${what}: ${calls.length} of ${count} requests were at an instance when their clients left\n`,
  );
  figure('the gateway hears of it -> its connection is closed, median ms', quantile(own, 0.5), goalMs);
  figure('the gateway hears of it -> its connection is closed, p99 ms', quantile(own, 0.99), goalMs);
  figure(
    'client leaves -> the instance hears of it, median ms',
    quantile(whole, 0.5),
    isCalm ? goalMs : undefined,
  );
  figure(
    'client leaves -> the instance hears of it, p99 ms',
    quantile(whole, 0.99),
    isCalm ? goalMs : undefined,
  );
  figure('the same without a gateway, p99 ms', control);
  if (!isCalm)
    console.log(
      `  not judged: the whole way, above ${atRestMs} ms without a gateway the machine has other work`,
    );
  figure('still open at the instances', await ask<number>(service, 'open'), 0);
  figure('in flight and slots taken, ten seconds later', held(vitals), 0);
  figure('share of the requests that did not get as far as an instance', 1 - calls.length / count, 0.1);
}

// Code that has never run is slow for once.
await leave(throughGateway, 400, 20);

await measure('one client leaves', 400, 1);
await measure('20 leave at once', 2_000, 20);
await measure('200 leave at once', 2_000, 200);
await measure('20 leave at once, while 32 connections ask without a pause', 2_000, 20, () =>
  load({ url: `${throughGateway}/items`, connections: 32, seconds: 20 }),
);

clients.disconnect();
await gateway.end();
service.disconnect();
