/** `--profile=<contender>`: where the CPU of one contender goes, in microseconds per request. */
import type { Profiler, Runtime } from 'node:inspector';
import type { Contender } from './contender.ts';
import { load } from './load.ts';

type Sum = Map<string, number>;

export async function profile(contender: Contender, url: string, seconds = 8): Promise<void> {
  await load({ url, connections: 64, seconds: 3 });
  await contender.startProfile();
  const before = await contender.usage();
  const { requests } = await load({ url, connections: 64, seconds });
  const after = await contender.usage();
  const us = (after.cpuUs - before.cpuUs) / requests;
  const { packages, functions } = sums(await contender.stopProfile());
  console.log(`\n${contender.name}: ${us.toFixed(1)} us of CPU per request while it is profiled\n`);
  print('package', packages, us, 24);
  print('function', functions, us, 30);
}

/** Self time by package and by function, as shares of all that is not idle. */
function sums({ nodes, samples = [] }: Profiler.Profile): { packages: Sum; functions: Sum } {
  const hits = new Map<number, number>();
  for (const id of samples) hits.set(id, (hits.get(id) ?? 0) + 1);
  const busy = nodes.filter(({ callFrame }) => callFrame.functionName !== '(idle)');
  const total = busy.reduce((sum, { id }) => sum + (hits.get(id) ?? 0), 0);
  const packages: Sum = new Map();
  const functions: Sum = new Map();
  for (const { id, callFrame } of busy) {
    const share = (hits.get(id) ?? 0) / total;
    add(packages, packageOf(callFrame), share);
    add(functions, nameOf(callFrame), share);
  }
  return { packages, functions };
}

const add = (sum: Sum, key: string, share: number): void => {
  sum.set(key, (sum.get(key) ?? 0) + share);
};

function packageOf({ url, functionName }: Runtime.CallFrame): string {
  if (url.startsWith('wasm') || functionName.includes('wasm')) return 'wasm';
  if (url.startsWith('node:')) return url.replace('node:internal/', 'node:').split('/')[0] ?? url;
  const [, installed = ''] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? [];
  const [, lib = ''] = /\/libs\/([^/]+)/.exec(url) ?? [];
  return installed || (lib && `@mesh/${lib}`) || functionName;
}

function nameOf({ url, functionName, lineNumber }: Runtime.CallFrame): string {
  const place = url.replace(/.*\/(libs|node_modules)\//, '');
  return `${functionName || '(anonymous)'} ${place}${url ? `:${lineNumber + 1}` : ''}`;
}

function print(title: string, sum: Sum, us: number, most: number): void {
  console.log(`| us/request | self | ${title} |\n| ---: | ---: | --- |`);
  for (const [name, share] of [...sum].sort(([, a], [, b]) => b - a).slice(0, most)) {
    console.log(`| ${(us * share).toFixed(2)} | ${(100 * share).toFixed(1)} % | ${name} |`);
  }
  console.log();
}
