/**
 * The gateway beside its peers, in one run and over the same instances. What counts is CPU time of the proxy process for a request: the
 * machine's other work changes it little, and it is what a request costs. Ratios of medians are judged.
 *
 *   npm run bench -- gateway                      everything, about five minutes
 *   npm run bench -- gateway --quick              one short round of each
 *   npm run bench -- gateway --only=get,post      sections: get post cache megabyte large idle
 *   npm run bench -- gateway --field=ours,nginx   fewer contenders
 *   npm run bench -- gateway --profile=ours       where the CPU of one of them goes; with --only=cache for hits
 */
import { parseArgs } from 'node:util';
import { figure } from '../../../tools/contest.mts';
import { Contender } from './contender.ts';
import { generator, load } from './load.ts';
import { keepIdle, notReading, peakMB, rssMB } from './memory.ts';
import { canPin, mostSockets } from './machine.ts';
import { installPeers } from './peers.ts';
import { profile } from './profile.ts';
import * as report from './report.ts';
import { contest, type Contest, type Scores } from './rounds.ts';
import { itemJson, startUpstreams } from './upstreams.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'get,post,cache,megabyte,large,idle' },
    field: { type: 'string' },
    rounds: { type: 'string' },
    profile: { type: 'string' },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 1 : 7));
const seconds = options.quick ? 1 : 2;

const everyone = [
  'ours',
  'ours-app',
  'undici-dispatch',
  'http-proxy',
  'fast-proxy',
  'fast-gateway',
  'http-proxy-middleware',
  'http-proxy-middleware-4',
  'platformatic',
  'nginx',
  'haproxy',
];
const field = options.profile === undefined ? (options.field?.split(',') ?? everyone) : [options.profile];

installPeers();
const upstreams = await startUpstreams();
const contenders: Contender[] = [];
for (const name of field) {
  try {
    contenders.push(await Contender.start(name, upstreams.origins));
  } catch (error) {
    console.log(`skipped ${name}: ${(error as Error).message}`);
  }
}
console.log(
  `node ${process.version}, load by ${generator}, instances by ${upstreams.server}, ${canPin ? 'one core for the proxy' : 'no core of its own'}`,
);

const among = (...names: string[]): Contender[] => contenders.filter(({ name }) => names.includes(name));
const at = (path: string) => (contender: Contender) => contender.origin + path;
const compare = (
  some: readonly Contender[],
  wanted: Partial<Contest> & Pick<Contest, 'url'>,
): Promise<Scores> => contest(some, { rounds, seconds, ...wanted });

const sections: Record<string, () => Promise<void>> = {
  async get() {
    const scores = await compare(contenders, { url: at('/items') });
    const { cpu, quiet, speed, core, p50, p99, rss, failed, against } = report;
    const columns = [cpu, quiet, against(scores, 'nginx', cpuOf), speed, core, p50, p99, rss, failed];
    report.table('GET, 1 KB of JSON, 64 connections', scores, columns);
    const goals = [
      { against: 'http-proxy', atMost: 0.65 },
      { against: 'fast-proxy', atMost: 1 },
      { against: 'fast-gateway', atMost: 0.7 },
      { against: 'http-proxy-middleware', atMost: 0.45 },
      { against: 'nginx', atMost: 5.2 },
    ];
    report.judge(scores, goals, cpuOf);
    figure('requests of ours that failed', scores.get('ours')?.failed ?? 0, 0);
  },

  async post() {
    const some = among(
      'ours',
      'undici-dispatch',
      'http-proxy',
      'fast-proxy',
      'http-proxy-middleware',
      'nginx',
      'haproxy',
    );
    const wanted = { url: at('/items'), body: itemJson.trim(), rounds: Math.min(rounds, 3) };
    const scores = await compare(some, wanted);
    const { cpu, against, speed, p50, p99, failed } = report;
    const columns = [cpu, against(scores, 'nginx', cpuOf), speed, p50, p99, failed];
    report.table('POST, 1 KB of JSON each way, 64 connections', scores, columns);
    figure('requests of ours that failed', scores.get('ours')?.failed ?? 0, 0);
  },

  async cache() {
    const caching = contenders.filter(({ cachedUrl }) => cachedUrl !== undefined);
    if (!caching.some(({ name }) => name === 'ours')) {
      console.log('\nskipped: cache hits, the contender of ours has no cache');
      return;
    }
    const url = ({ cachedUrl = '' }: Contender): string => cachedUrl;
    const scores = await compare(caching, { url, rounds: Math.min(rounds, 5) });
    const { cpu, against, speed, p50, p99, failed } = report;
    const columns = [cpu, against(scores, 'nginx', cpuOf), speed, p50, p99, failed];
    report.table('GET from the cache, 1 KB of JSON, 64 connections', scores, columns);
    report.judge(scores, [{ against: 'nginx', atMost: 1.6 }], cpuOf);
  },

  async megabyte() {
    const some = among('ours', 'undici-dispatch', 'http-proxy', 'http-proxy-middleware', 'nginx', 'haproxy');
    const wanted = { url: at('/items/1m'), connections: 16, rounds: Math.min(rounds, 3) };
    const scores = await compare(some, wanted);
    const { cpuPerMiB, against, rss, failed } = report;
    const columns = [cpuPerMiB, against(scores, 'nginx', ({ cpuMsPerMiB }) => cpuMsPerMiB), rss, failed];
    report.table('GET, 1 MB, 16 connections', scores, columns);
    figure('requests of ours that failed', scores.get('ours')?.failed ?? 0, 0);
  },

  async large() {
    console.log('\nmemory of the proxy: 8 streams of 100 MB against 8 of 1 MB\n');
    for (const contender of among('ours', 'http-proxy', 'nginx')) {
      const reading = (path: string) =>
        peakMB(contender, () => load({ url: contender.origin + path, connections: 8, seconds: 3 }));
      const small = await reading('/items/1m');
      const large = contender.origin + '/items/100m';
      const unread = await peakMB(contender, () => notReading(large, 8, 2_000));
      const read = await reading('/items/100m');
      const goal = contender.name === 'ours' ? 40 : undefined;
      figure(`${contender.name}: MB at its highest, streams of 1 MB`, small);
      figure(`${contender.name}: MB more with 100 MB that nobody reads`, Math.max(0, unread - small), goal);
      figure(`${contender.name}: MB more with 100 MB`, Math.max(0, read - small), goal);
    }
  },

  async idle() {
    console.log('\nidle connections, each after one answer\n');
    for (const contender of among('ours', 'http-proxy')) {
      const url = contender.origin + '/items';
      const state = { held: 0, release: (): void => undefined };
      await load({ url, connections: 64, seconds: 1 });
      const before = await rssMB(contender);
      const peak = await peakMB(contender, async () =>
        Object.assign(state, await keepIdle(url, Math.min(10_000, mostSockets()))),
      );
      figure(`${contender.name}: connections held`, state.held);
      figure(`${contender.name}: KB of memory for each`, ((peak - before) * 1e3) / state.held);
      const busy = await load({ url, connections: 64, seconds });
      state.release();
      const goal = contender.name === 'ours' ? 0 : undefined;
      figure(`${contender.name}: failed meanwhile of ${busy.requests} requests`, busy.failed, goal);
    }
  },
};

function cpuOf({ cpuUs }: { readonly cpuUs: number }): number {
  return cpuUs;
}

try {
  if (options.profile === undefined) for (const name of options.only.split(',')) await sections[name]?.();
  else {
    const { only } = options;
    for (const contender of contenders) {
      const url = only === 'cache' ? contender.cachedUrl : undefined;
      await profile(contender, url ?? contender.origin + '/items');
    }
  }
} finally {
  for (const contender of contenders) await contender.end();
  upstreams.close();
}
