/**
 * Chaos on real processes at a constant load of reads: two gateways, three instances of each service, SQLite. Goals: no read fails, and the
 * time of all but one in a hundred stays within the bound of the case. `--rate=100` reads a second, `--only=hang` one case.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ChaosWorld, type Tally } from '../src/chaos-world.ts';
import type { LoadReport } from '../src/steady-load.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: { rate: { type: 'string', default: '100' }, only: { type: 'string' } },
});
const perSecond = Number(options.rate);

interface Case {
  readonly what: string;
  readonly p99Ms: number;
  /** Resolves with something to be told about it, if there is any. */
  readonly disturb: (world: ChaosWorld) => Promise<string>;
}

const told = ({ asked, failed }: Tally): string => ` (asked ${asked} times, failed ${failed})`;

const cases: Readonly<Record<string, Case>> = {
  calm: { what: 'nothing', p99Ms: 100, disturb: () => pause(5_000, '') },
  kill: {
    what: 'kill -9 of an instance of each service',
    p99Ms: 250,
    async disturb(world) {
      world.kill('user-service');
      await pause(1_500);
      world.kill('order-service');
      return pause(3_500, '');
    },
  },
  rolling: {
    what: 'rolling restart of all instances and of discovery',
    p99Ms: 250,
    async disturb(world) {
      await world.restartServices('user-service', 'order-service', 'discovery');
      return '';
    },
  },
  gateways: {
    what: 'rolling restart of both gateways',
    p99Ms: 250,
    async disturb(world) {
      await world.restartGateways();
      return '';
    },
  },
  hang: {
    what: 'an instance hangs for 8 s (SIGSTOP)',
    p99Ms: 250,
    async disturb(world) {
      await world.hang('user-service', 8_000);
      return '';
    },
  },
  errors: {
    what: 'an instance of four fails 30 % of its requests',
    p99Ms: 250,
    disturb: async (world) => told(await world.join('user-service', { ERROR_RATIO: '0.3' }, 8_000)),
  },
  slow: {
    what: 'an instance of four is ten times slower (50 ms)',
    p99Ms: 250,
    disturb: async (world) => told(await world.join('user-service', { DELAY_MS: '50' }, 8_000)),
  },
};

interface Row extends Case {
  readonly note: string;
  readonly report: LoadReport;
}

async function run(world: ChaosWorld, one: Case): Promise<Row> {
  await world.settle();
  let note = '';
  const report = await world.readDuring(perSecond, async () => {
    note = await one.disturb(world);
  });
  for (const fault of report.faults.slice(0, 5)) console.log(`${one.what}: ${fault}`);
  return { ...one, note, report };
}

const rows: Row[] = [];
const world = await ChaosWorld.start();
try {
  // The first seconds compile what all cases use.
  await world.readDuring(perSecond, () => pause(2_000));
  for (const [id, one] of Object.entries(cases)) {
    if (options.only === undefined || options.only === id) rows.push(await run(world, one));
  }
} finally {
  await world.stop();
}

console.log(`\n${perSecond} reads a second through two gateways\n`);
console.log(
  '| what happens | reads | failed | asked the other gateway | p50 ms | p99 ms | bound | slowest ms |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const { what, note, p99Ms, report } of rows) {
  const [p50, p99, slowest] = [report.p50Ms, report.p99Ms, report.maxMs].map((ms) => ms.toFixed(0));
  const cells = [report.sent, report.faults.length, report.askedTwice, p50, p99, p99Ms, slowest];
  console.log(`| ${what}${note} | ${cells.join(' | ')} |`);
}
console.log();
for (const { what, p99Ms, report } of rows) {
  const met = report.faults.length === 0 && report.p99Ms <= p99Ms;
  console.log(`  ${met ? 'met   ' : 'MISSED'} ${what}`);
  if (!met) process.exitCode = 1;
}
