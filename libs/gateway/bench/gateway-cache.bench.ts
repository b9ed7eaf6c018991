/**
 * What a cache hit costs. In this process: the hit alone. Over HTTP: CPU time (user + system) per request of a server process, from
 * /proc (Linux), rounds alternated: a hit, a static answer of `node:http`, and nginx's proxy_cache where nginx is installed.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contest } from '../../../tools/contest.mts';
import { ResponseCache } from '../src/index.ts';
import type { AnswerSink, Forward, Passage } from '../src/passage.ts';
import { readTarget } from '../src/routing/request-target.ts';
import { through, toPort } from '../src/testing/http-kit.ts';

const body = JSON.stringify({ users: 'x'.repeat(1_012) });
const answerHeaders = [
  ['Content-Type', 'application/json'],
  ['Cache-Control', 'max-age=3600'],
  ['Content-Length', String(body.length)],
  ['ETag', '"abc"'],
  ['X-Request-Cost', '12'],
  ['Last-Modified', 'Thu, 01 Jan 2026 00:00:00 GMT'],
] as const;

/** What a browser behind a login sends; without credentials, because an answer to those is not for sharing. */
const requestHeaders = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
  Accept: 'application/json',
  'Accept-Encoding': 'gzip, br',
  'Accept-Language': 'en',
  'X-Request-ID': '2f1f8a4e-6d1c-4b6e-9d60-0c8f2a1e6c11',
};

async function inProcess(): Promise<void> {
  const cache = new ResponseCache();
  const instance: Forward = (_passage, sink) => {
    sink.head(200, 'OK', answerHeaders.flat());
    sink.data(Buffer.from(body));
    sink.end([]);
    return { abort: () => undefined, resume: () => undefined };
  };
  const forward = cache.around({}, instance);
  const url = '/users?limit=100';
  const passage = {
    request: {
      raw: {
        method: 'GET',
        url,
        socket: {},
        rawHeaders: Object.entries({ Host: 'shop.example', ...requestHeaders }).flat(),
      },
    },
    routeId: 'users',
    service: 'user-service',
    target: readTarget(url),
    path: url,
    identity: undefined,
    requestHeaders: [],
    answerHeaders: [],
  } as unknown as Passage;
  let heads = 0;
  const sink: AnswerSink = {
    inform: () => undefined,
    head: () => heads++,
    data: () => true,
    end: () => undefined,
    fail: () => undefined,
  };
  forward(passage, sink);
  await contest('A hit in this process (six request headers, 1 KB of JSON)', [
    {
      name: 'ResponseCache hit',
      run: (iterations) => {
        for (let at = 0; at < iterations; at++) forward(passage, sink);
      },
    },
  ]);
  if (cache.getSnapshot().misses !== 1) throw new Error('not a hit');
}

/** The child: one server on a free port, told to the parent. */
function serve(kind: 'static' | 'hit'): void {
  process.once('disconnect', () => process.exit());
  const flat = answerHeaders.flat();
  const instance = createServer((_request, response) => {
    response.writeHead(200, flat);
    response.end(body);
  });
  instance.listen(0, '127.0.0.1', () => {
    if (kind === 'static') {
      process.send?.((instance.address() as AddressInfo).port);
      return;
    }
    const cache = new ResponseCache();
    const server = createServer(through(cache.around({}, toPort((instance.address() as AddressInfo).port))));
    server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  });
}

interface Contestant {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
  readonly us: number[];
}

async function overHttp(): Promise<void> {
  const children: ChildProcess[] = [];
  const contestants: Contestant[] = [];
  for (const kind of ['static', 'hit'] as const) {
    const child = spawn(process.execPath, ['--conditions=@mesh/source', import.meta.filename, kind], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(child);
    const [port] = (await once(child, 'message')) as [number];
    const name = kind === 'static' ? 'node:http static answer' : 'hit, over HTTP';
    contestants.push({ name, port, pids: [child.pid ?? 0], us: [] });
  }
  let nginx: Awaited<ReturnType<typeof startNginx>>;
  try {
    nginx = await startNginx(contestants[0]?.port ?? 0);
    if (nginx === undefined)
      console.log('  skipped: nginx is not installed, so there is no proxy_cache to compare with');
    else contestants.push(nginx.contestant);
    await race(contestants);
  } finally {
    for (const child of children) child.kill();
    nginx?.stop();
  }
}

const requests = 2_000;
const rounds = 7;

async function race(contestants: readonly Contestant[]): Promise<void> {
  for (const { port } of contestants) await load(port, requests);
  for (let round = 0; round < rounds; round++) {
    for (const { port, pids, us } of round % 2 ? [...contestants].reverse() : contestants) {
      const before = cpuUs(pids);
      await load(port, requests);
      us.push((cpuUs(pids) - before) / requests);
    }
  }
  console.log(
    `\nCPU of the server process per request (1 KB of JSON, 64 connections, ${rounds} x ${requests} requests, medians)`,
  );
  for (const { name, us } of contestants)
    console.log(`  ${name.padEnd(44)} ${median(us).toFixed(1).padStart(8)} us`);
  const [fixed, hit, nginx] = contestants.map(({ us }) => median(us));
  judge('hit / node:http static answer', (hit ?? NaN) / (fixed ?? NaN), 1.25);
  if (nginx !== undefined) judge('hit / nginx proxy_cache hit', (hit ?? NaN) / nginx, 1.6);
}

function judge(what: string, ratio: number, atMost: number): void {
  const met = ratio <= atMost;
  console.log(`  ${met ? 'met   ' : 'MISSED'} ${what}: ${ratio.toFixed(2)}x (goal <= ${atMost}x)`);
  if (!met) process.exitCode = 1;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

async function load(port: number, count: number): Promise<void> {
  let left = count;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      get(
        { port, path: '/users?limit=100', agent, host: '127.0.0.1', headers: requestHeaders },
        (response) => {
          if (response.statusCode !== 200) reject(new Error(`answered with ${response.statusCode}`));
          response.resume().once('end', resolve);
        },
      ).once('error', reject);
    });
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (left-- > 0) await one();
    }),
  );
}

/** Time on a processor of all threads of processes, in microseconds (first field of /proc/<pid>/task/<tid>/schedstat). */
function cpuUs(pids: readonly number[]): number {
  const tasks = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`),
  );
  return tasks.reduce(
    (sum, task) => sum + Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]) / 1_000,
    0,
  );
}

async function startNginx(
  upstream: number,
): Promise<{ contestant: Contestant; stop: () => void } | undefined> {
  if (spawnSync('nginx', ['-v'], { stdio: 'ignore' }).status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'cache-bench-'));
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
     events { worker_connections 512; }
     http {
       access_log off; keepalive_requests 10000000;
       proxy_temp_path ${folder}/temp; client_body_temp_path ${folder}/body;
       fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       proxy_cache_path ${folder}/cache keys_zone=c:10m;
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${upstream}; proxy_cache c; add_header X-Cache $upstream_cache_status; } }
     }`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', config], { stdio: 'ignore' });
  const stop = (): void => {
    child.kill('SIGTERM');
    child.once('exit', () => {
      rmSync(folder, { recursive: true, force: true });
    });
  };
  for (let attempt = 0; attempt < 100; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (
      await load(port, 1).then(
        () => true,
        () => false,
      )
    ) {
      const workers = spawnSync('pgrep', ['-P', String(child.pid), '-f', 'worker process'], {
        encoding: 'utf8',
      }).stdout;
      const pids = workers.split('\n').filter(Boolean).map(Number);
      return { contestant: { name: 'nginx proxy_cache hit', port, pids, us: [] }, stop };
    }
  }
  stop();
  throw new Error('nginx did not start');
}

async function freePort(): Promise<number> {
  const server: Server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

// Last, so that everything above is there.
const role = process.argv[2];
if (role === 'static' || role === 'hit') serve(role);
else {
  await inProcess();
  await overHttp();
}
agent.destroy();
