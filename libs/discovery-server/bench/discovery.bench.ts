/**
 * The figures of the registry over real sockets: how soon the death of a process, a registration and a change are seen by who
 * watches, and what heartbeats and lookups cost against bare Fastify routes of the same process and against a real Consul.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Pool } from 'undici';
import { figure } from '../../../tools/contest.mts';
import { startProcess } from '../src/testing/living-process.ts';
import { consulVersion, startConsul } from './consul-process.mts';
import { compare, cpuMsOf, latencyMs, load } from './load.mts';
import { percentile, watch } from './watching.mts';

const server = fork(join(import.meta.dirname, 'server-process.mts'), {
  execArgv: ['--conditions=@mesh/source'],
});
const [{ port }] = (await once(server, 'message')) as [{ port: number }];
const url = `http://127.0.0.1:${port}`;
const pool = new Pool(url, { connections: 8, pipelining: 4 });
const headers = { 'content-type': 'application/json' };

async function serverCpuMs(): Promise<number> {
  server.send('cpu');
  const [{ cpu }] = (await once(server, 'message')) as [{ cpu: NodeJS.CpuUsage }];
  return (cpu.user + cpu.system) / 1000;
}

async function send(method: 'POST' | 'GET' | 'DELETE', path: string, body?: object): Promise<number> {
  const answer = await pool.request({
    method,
    path,
    ...(body && { headers, body: JSON.stringify(body) }),
  });
  await answer.body.dump();
  return answer.statusCode;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

console.log('\nkill -9, seen by a watching client (ms)');
{
  const watching = await watch(port, 'services=user-service');
  const goneAt = new Map<number, number>();
  watching.onEvent = (event, data, atMs) => {
    if (event === 'remove') goneAt.set(Number(/:(\d+)"/.exec(data)?.[1]), atMs);
  };
  const times: number[] = [];
  for (let batch = 0; batch < 10; batch++) {
    const processes = await Promise.all(Array.from({ length: 4 }, () => startProcess(url)));
    for (const one of processes) {
      const atMs = performance.now();
      await one.kill();
      while (!goneAt.has(one.port)) await sleep(1);
      times.push((goneAt.get(one.port) ?? NaN) - atMs);
    }
  }
  figure('with a session, p50', percentile(times, 0.5));
  figure('with a session, p99 of 40', percentile(times, 0.99), 100);
  watching.request.destroy();
}
{
  const watching = await watch(port, 'services=lease-service');
  const goneAt = new Map<number, number>();
  watching.onEvent = (event, data, atMs) => {
    if (event === 'remove') goneAt.set(Number(/:(\d+)"/.exec(data)?.[1]), atMs);
  };
  const errors: number[] = [];
  for (let round = 0; round < 15; round++) {
    const body = { name: 'lease-service', port: 10 + round, heartbeatInterval: 0.5 };
    await send('POST', '/register', body);
    await send('POST', '/heartbeat', body);
    const heardMs = performance.now();
    while (!goneAt.has(body.port)) await sleep(2);
    errors.push(Math.abs((goneAt.get(body.port) ?? NaN) - heardMs - 750));
  }
  figure('without one, distance from 1.5 x interval, p50', percentile(errors, 0.5));
  figure('without one, distance from 1.5 x interval, worst of 15', Math.max(...errors), 50);
  watching.request.destroy();
}

console.log('\na change, seen by watching clients (ms)');
{
  const watching = await watch(port, 'services=change-service');
  let seen: (atMs: number) => void = () => undefined;
  watching.onEvent = (event, _, atMs) => {
    if (event === 'upsert') seen(atMs);
  };
  const times: number[] = [];
  for (let round = 0; round < 400; round++) {
    const arrived = new Promise<number>((resolve) => (seen = resolve));
    const body = { name: 'change-service', port: 4000, weight: 1 + (round % 100), heartbeatInterval: 3600 };
    const atMs = performance.now();
    const answered = send('POST', '/register', body);
    times.push((await arrived) - atMs);
    await answered;
  }
  figure('register to watcher, p50', percentile(times, 0.5), 1);
  figure('register to watcher, p99 of 400', percentile(times, 0.99), 10);
  watching.request.destroy();
}
{
  const count = 500;
  const watchings = await Promise.all(
    Array.from({ length: count }, () => watch(port, 'services=crowd-service')),
  );
  let left = 0;
  let done: (atMs: number) => void = () => undefined;
  for (const watching of watchings) {
    watching.onEvent = (event, _, atMs) => {
      if (event === 'upsert' && --left === 0) done(atMs);
    };
  }
  const times: number[] = [];
  const before = await serverCpuMs();
  for (let round = 0; round < 40; round++) {
    left = count;
    const last = new Promise<number>((resolve) => (done = resolve));
    const body = { name: 'crowd-service', port: 4000, weight: 1 + round, heartbeatInterval: 3600 };
    const atMs = performance.now();
    await send('POST', '/register', body);
    times.push((await last) - atMs);
  }
  const cpuUs = (((await serverCpuMs()) - before) * 1000) / 40 / count;
  figure('last of 500 watchers, p50 of 40', percentile(times, 0.5), 15);
  figure('server CPU for each watcher of a change (us)', cpuUs, 15);
  for (const { request } of watchings) request.destroy();
}

console.log(
  '\nheartbeats and lookups against bare Fastify routes of the same process, same bodies, answers of the same size',
);
{
  const beat = { name: 'beat-service', port: 4000, heartbeatInterval: 3600 };
  await send('POST', '/register', beat);
  const batch = { heartbeats: Array.from({ length: 100 }, () => beat) };
  const calls = {
    'POST, bare': () => send('POST', '/bare', beat),
    'POST /heartbeat': () => send('POST', '/heartbeat', beat),
    'POST /heartbeats': () => send('POST', '/heartbeats', batch),
    'GET, bare': () => send('GET', '/bare-list'),
    'GET /services/:name': () => send('GET', '/services/list-service'),
  };
  const { cost, ratio } = await compare(calls, serverCpuMs);
  figure('POST /heartbeat a second', cost('POST /heartbeat').perSecond);
  figure(
    'POST /heartbeat / bare POST, time (0.8x the throughput is 1.25)',
    ratio('POST /heartbeat', 'POST, bare').time,
    1.25,
  );
  figure('... server CPU', ratio('POST /heartbeat', 'POST, bare').cpu);
  figure('server CPU, bare POST (us)', cost('POST, bare').cpuUs);
  figure('server CPU, POST /heartbeat (us)', cost('POST /heartbeat').cpuUs, 35);
  figure('server CPU, POST /heartbeats of 100 (us)', cost('POST /heartbeats').cpuUs);
  figure(
    'GET /services/:name of 64 / bare GET of that text, time',
    ratio('GET /services/:name', 'GET, bare').time,
    1.15,
  );
  figure('... server CPU', ratio('GET /services/:name', 'GET, bare').cpu);
  figure('server CPU, bare GET (us)', cost('GET, bare').cpuUs);
  figure('server CPU, GET /services/:name (us)', cost('GET /services/:name').cpuUs);
}

const version = consulVersion();
if (version === undefined) {
  console.log(
    '\n  SKIPPED: the comparison with Consul 1.8.7; there is no consul here (.ci/run says how to get it)',
  );
} else {
  console.log(`\na lookup of 64 instances, ${version} in the same run`);
  const instances = Array.from({ length: 64 }, (_, at) => ({
    name: 'list-service',
    host: `10.0.0.${at}`,
    port: 4000,
  }));
  const consul = await startConsul(instances);
  // The same load on both: eight connections, on each one request at a time, as `fetch` does it.
  const asHeavy = { connections: 8, pipelining: 1 };
  const pools = { ours: new Pool(url, asHeavy), theirs: new Pool(consul.url, asHeavy) };
  const get = async (from: Pool, path: string): Promise<void> => {
    const answer = await from.request({ method: 'GET', path });
    await answer.body.dump();
  };
  const ours = () => get(pools.ours, '/services/list-service');
  const theirs = () => get(pools.theirs, '/v1/health/service/list-service?passing=1');
  const cpuUs = { ours: [] as number[], theirs: [] as number[] };
  const ms = { ours: [] as number[], theirs: [] as number[] };
  // One round to warm up.
  for (let round = 0; round <= 7; round++) {
    cpuUs.ours.push((await load(ours, () => cpuMsOf(server.pid ?? 0), 1000)).cpuUs);
    cpuUs.theirs.push((await load(theirs, () => cpuMsOf(consul.pid), 2000)).cpuUs);
    ms.ours.push(await latencyMs(ours, 200));
    ms.theirs.push(await latencyMs(theirs, 50));
  }
  for (const list of [cpuUs.ours, cpuUs.theirs, ms.ours, ms.theirs]) list.shift();
  const shares = cpuUs.ours.map((us, round) => (us * 100) / (cpuUs.theirs[round] ?? NaN));
  figure('server CPU, ours (us)', percentile(cpuUs.ours, 0.5));
  figure('server CPU, Consul (us)', percentile(cpuUs.theirs, 0.5));
  figure('ours x 100 / Consul, median of the rounds (100x less is 1)', percentile(shares, 0.5), 1);
  figure('one after the other, p50, ours (ms)', percentile(ms.ours, 0.5));
  figure('one after the other, p50, Consul (ms)', percentile(ms.theirs, 0.5));
  figure('Consul / ours', percentile(ms.theirs, 0.5) / percentile(ms.ours, 0.5));
  await Promise.all([pools.ours.close(), pools.theirs.close()]);
  await consul.stop();
}

await pool.close();
server.disconnect();
