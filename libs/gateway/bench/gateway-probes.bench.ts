/**
 * The probes that the tests hold this gateway to, against other proxies as well: raw sockets on both sides, each case with a proxy of its
 * own, configured the way its documentation says. Prints the table; fails only when ours fails.
 *
 *   npm run bench -- gateway-probes                      about four minutes
 *   npm run bench -- gateway-probes --field=ours,nginx   fewer proxies
 *   npm run bench -- gateway-probes --only=103           cases whose name has this in it
 */
import { parseArgs } from 'node:util';
import { runProbe, startGateway, type StartProxy } from '../src/testing/probes/probe.ts';
import { probes } from '../src/testing/probes/probes.ts';
import { cleanups } from '../src/testing/raw-http.ts';
import { Contender } from './contender.ts';
import { installPeers } from './peers.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    field: {
      type: 'string',
      default:
        'ours,reply-from,http-proxy,platformatic,http-proxy-middleware-4,fast-gateway,fast-proxy,undici-dispatch,nginx,haproxy',
    },
    only: { type: 'string', default: '' },
    wait: { type: 'string', default: '5000' },
  },
});

/** Another process, with nothing in it of the case before. */
const starting =
  (name: string): StartProxy =>
  async (instance) => {
    const contender = await Contender.start(name, [`http://127.0.0.1:${instance}`]);
    cleanups.push(() => contender.end());
    return Number(new URL(contender.origin).port);
  };

/** Undefined: it holds. */
type Outcome = string | undefined;

async function outcomesOf(start: StartProxy): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  for (const probe of probes.filter(({ name }) => name.includes(options.only))) {
    const outcome = await failureOf(runProbe(probe, start, Number(options.wait)));
    outcomes.set(probe.name, outcome?.replaceAll(/\s+/g, ' ').slice(0, 120));
  }
  return outcomes;
}

async function failureOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Starts and ends: whether it runs here at all. */
const tryOut = async (name: string): Promise<void> =>
  (await Contender.start(name, ['http://127.0.0.1:9'])).end();

installPeers();
const field = new Map<string, Map<string, Outcome>>();
for (const name of options.field.split(',')) {
  const isOurs = name === 'ours';
  const cannot = isOurs ? undefined : await failureOf(tryOut(name));
  if (cannot === undefined) field.set(name, await outcomesOf(isOurs ? startGateway : starting(name)));
  else console.log(`skipped ${name}: ${cannot}`);
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
for (const [proxy, outcomes] of field) {
  for (const [name, outcome] of outcomes) {
    if (outcome !== undefined) console.log(`${proxy}: ${name}: ${outcome}`);
    if (outcome !== undefined && proxy === 'ours') process.exitCode = 1;
  }
}
