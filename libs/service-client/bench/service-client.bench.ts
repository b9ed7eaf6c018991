/**
 * CPU time that one request costs the calling process, user and system, with the servers in another process: a busy machine changes
 * the clock on the wall, but hardly this. Rounds alternate, medians count, goals are ratios inside one run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Agent, type Dispatcher } from 'undici';
import { figure } from '../../../tools/contest.mts';
import { callContext, createCallContext, createServiceClient, type ServiceClient } from '../src/index.ts';

const [rounds, requests, inFlight] = [15, 6000, 64];

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
  ports.push(Number(line));
  if (ports.length === 3) break;
}

const requestHeaders = [
  ['host', 'mesh.test'],
  ['user-agent', 'bench'],
  ['accept', 'application/json'],
  ['x-forwarded-for', '127.0.0.1'],
].flat();

type Send = (done: (error?: Error) => void) => void;

/** A caller that wants nothing but the end. */
class Reader implements Dispatcher.DispatchHandler {
  readonly #done: (error?: Error) => void;

  constructor(done: (error?: Error) => void) {
    this.#done = done;
  }
  onRequestStart(): void {}
  onResponseStart(): void {}
  onResponseData(): void {}
  onResponseEnd(): void {
    this.#done();
  }
  onResponseError(_: unknown, error: Error): void {
    this.#done(error);
  }
}

const agent = new Agent({ connections: 256 });
let turn = 0;
const bare: Send = (done) => {
  const origin = `http://127.0.0.1:${ports[turn++ % ports.length] ?? 0}`;
  agent.dispatch(
    { origin, path: '/users', method: 'GET', headers: requestHeaders, bodyTimeout: 30_000 },
    new Reader(done),
  );
};

function clientOf(count: number): ServiceClient {
  const instances = Array.from({ length: count }, (_, i) => ({
    id: `user-${i}`,
    host: '127.0.0.1',
    port: ports[i % ports.length] ?? 0,
  }));
  const resolution = { instances };
  return createServiceClient({
    discovery: { peek: () => resolution, resolve: () => Promise.resolve(resolution) },
  });
}

const through =
  ({ dispatcher }: ServiceClient): Send =>
  (done) => {
    dispatcher.dispatch(
      {
        origin: 'http://user-service',
        path: '/users',
        method: 'GET',
        headers: requestHeaders,
        bodyTimeout: 30_000,
        [callContext]: createCallContext({ timeoutMs: 30_000 }),
      } as Dispatcher.DispatchOptions,
      new Reader(done),
    );
  };

/** CPU microseconds for each of `count` requests, so many in flight at a time. */
async function cpuMicroseconds(send: Send, count: number): Promise<number> {
  const start = process.cpuUsage();
  let left = count;
  await new Promise<void>((resolve, reject) => {
    let open = 0;
    const next = (error?: Error): void => {
      open -= 1;
      if (error !== undefined) reject(error);
      else if (left > 0) begin();
      else if (open === 0) resolve();
    };
    const begin = (): void => {
      left -= 1;
      open += 1;
      send(next);
    };
    for (let i = 0; i < inFlight; i++) begin();
  });
  const { user, system } = process.cpuUsage(start);
  return (user + system) / count;
}

const clients = [3, 100, 1000].map((count) => ({ count, client: clientOf(count) }));
const contenders: { readonly name: string; readonly send: Send }[] = [
  { name: 'undici Agent.dispatch, three origins in turn', send: bare },
  ...clients.map(({ count, client }) => ({
    name: `client.dispatcher, ${count} instances`,
    send: through(client),
  })),
];
const samples = contenders.map((): number[] => []);
for (const { send } of contenders) await cpuMicroseconds(send, requests);
for (let round = 0; round < rounds; round++) {
  for (const [i, { send }] of contenders.entries()) {
    globalThis.gc?.();
    samples[i]?.push(await cpuMicroseconds(send, requests));
  }
}
const medians = samples.map((values) => [...values].sort((a, b) => a - b)[rounds >> 1] ?? NaN);

console.log(`\nCPU time of one request in µs, the servers in another process, ${inFlight} in flight`);
for (const [i, { name }] of contenders.entries()) figure(name, medians[i] ?? NaN);
const [none = NaN, three = NaN, hundred = NaN, thousand = NaN] = medians;
console.log('\nratios');
figure('3 instances / bare undici', three / none, 1.15);
figure('100 instances / 3 instances', hundred / three, 1.1);
figure('1 000 instances / 3 instances', thousand / three, 1.1);

for (const { client } of clients) await client.close();
await agent.close();
servers.kill();
await once(servers, 'exit');
