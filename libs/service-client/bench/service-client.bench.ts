/**
 * What the client costs above bare undici: CPU time of one request (user + system of the calling process; the servers are another one).
 * Every contender has a process of its own, rounds alternate, medians count, and goals are ratios inside one run.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { figure } from '../../../tools/contest.mts';
import type { Kind } from './caller.mts';

const [rounds, requests] = [15, 4000];
const kinds: readonly Kind[] = [
  ...(['undici', 'undici, our headers', 'client, 3'] as const),
  ...(['client, 100', 'client, 1000', 'client, new trace'] as const),
];

const serverSource = `
  import { createServer } from 'node:http';
  const body = JSON.stringify({ users: 'x'.repeat(1000) });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  for (let i = 0; i < 3; i++) {
    const server = createServer((_, response) => response.writeHead(200, headers).end(body));
    server.keepAliveTimeout = 120_000;
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));
  }
`;
const servers = spawn(process.execPath, ['--input-type=module', '--eval', serverSource]);
const ports: number[] = [];
for await (const line of createInterface({ input: servers.stdout })) {
  if (ports.push(Number(line)) === 3) break;
}

async function start(kind: Kind): Promise<ChildProcess> {
  const caller = fork(join(import.meta.dirname, 'caller.mts'), [kind, ports.join(',')], {
    execArgv: ['--conditions=@mesh/source'],
  });
  await once(caller, 'message');
  return caller;
}

async function measure(caller: ChildProcess): Promise<number> {
  caller.send(requests);
  const [micros] = (await once(caller, 'message')) as [number];
  return micros;
}

const callers = new Map<Kind, ChildProcess>();
for (const kind of kinds) callers.set(kind, await start(kind));
const samples = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
for (const caller of callers.values()) for (let warmUp = 0; warmUp < 5; warmUp++) await measure(caller);
for (let round = 0; round < rounds; round++) {
  for (const kind of round % 2 ? [...kinds].reverse() : kinds) {
    const caller = callers.get(kind);
    if (caller !== undefined) samples.get(kind)?.push(await measure(caller));
  }
}

const sorted = (kind: Kind): number[] => [...(samples.get(kind) ?? [])].sort((a, b) => a - b);
const median = (kind: Kind): number => sorted(kind)[rounds >> 1] ?? NaN;
const quiet = (kind: Kind): number => sorted(kind)[0] ?? NaN;

console.log('\nCPU time of one request in µs: median, and in the quietest round');
for (const kind of kinds) {
  console.log(
    `  ${kind.padEnd(24)} ${median(kind).toFixed(1).padStart(8)} ${quiet(kind).toFixed(1).padStart(8)}`,
  );
}
console.log('\nratios of medians');
figure('3 instances / bare undici', median('client, 3') / median('undici'), 1.15);
figure('100 instances / 3 instances', median('client, 100') / median('client, 3'), 1.1);
figure('1 000 instances / 3 instances', median('client, 1000') / median('client, 3'), 1.1);
console.log('\nof the quietest rounds');
figure('3 instances / bare undici', quiet('client, 3') / quiet('undici'));
figure('3 instances / undici with the same headers', quiet('client, 3') / quiet('undici, our headers'));

for (const caller of callers.values()) caller.disconnect();
servers.kill();
await once(servers, 'exit');
