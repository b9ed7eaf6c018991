/**
 * The probes that the tests hold this gateway to, against other proxies as well: raw sockets on both sides, each case with a proxy of its
 * own, configured the way its documentation says. Prints the table; fails only when ours fails.
 *
 *   npm run bench -- gateway-probes                      about three minutes
 *   npm run bench -- gateway-probes --field=ours,nginx   fewer proxies
 *   npm run bench -- gateway-probes --only=103           cases whose name has this in it
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { installPeers } from './peers.ts';
import type { Probed, Probing } from './probe-worker.mts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    field: {
      type: 'string',
      default:
        'ours,reply-from,http-proxy,platformatic,http-proxy-middleware-4,fast-gateway,fast-proxy,nginx,haproxy',
    },
    only: { type: 'string', default: '' },
    wait: { type: 'string', default: '5000' },
  },
});

async function probe(proxy: string): Promise<Probed> {
  const workerData: Probing = { proxy, only: options.only, waitMs: Number(options.wait) };
  const worker = new Worker(new URL('./probe-worker.mts', import.meta.url), { workerData });
  const [probed] = (await once(worker, 'message')) as [Probed];
  await worker.terminate();
  return probed;
}

installPeers();
const names = options.field.split(',');
const probed = new Map<string, Probed>();
// Most of the time is waiting for what does not come, so some of them go side by side.
const waiting = [...names];
const next = async (): Promise<void> => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
    probed.set(name, await probe(name));
};
await Promise.all([next(), next(), next()]);

const field = new Map<string, Exclude<Probed, string>>();
for (const name of names) {
  const outcomes = probed.get(name);
  if (typeof outcomes === 'object') field.set(name, outcomes);
  else console.log(`skipped ${name}: ${outcomes}`);
}
console.log(`\n| case | ${[...field.keys()].join(' | ')} |\n| --- |${' :-: |'.repeat(field.size)}`);
const cases = [...(field.values().next().value?.keys() ?? [])];
for (const name of cases) {
  const marks = [...field.values()].map((outcomes) => (outcomes.get(name) === undefined ? '✓' : '–'));
  console.log(`| ${name} | ${marks.join(' | ')} |`);
}
const held = [...field.values()].map(
  (outcomes) => [...outcomes.values()].filter((outcome) => outcome === undefined).length,
);
console.log(`| **held, of ${cases.length}** | ${held.join(' | ')} |\n`);
if (names.includes('ours') && !field.has('ours')) process.exitCode = 1;
for (const [proxy, outcomes] of field) {
  for (const [name, outcome] of outcomes) {
    if (outcome !== undefined) console.log(`${proxy}: ${name}: ${outcome}`);
    if (outcome !== undefined && proxy === 'ours') process.exitCode = 1;
  }
}
