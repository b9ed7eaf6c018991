/**
 * The simulation with more seeds, and with many clients: `SEEDS=1-100000 npm run bench -- discovery-sim`. A seed that found
 * something is printed with what it found; the same seed finds it again.
 */
import { figure } from '../../../tools/contest.mts';
import { runSeed } from '../src/testing/simulation/faults.ts';
import { Simulation } from '../src/testing/simulation/simulation.ts';

const [first = 1, last = 3000] = (process.env['SEEDS'] ?? '1-3000').split('-').map(Number);
const clients = Number(process.env['CLIENTS'] ?? 10_000);

let bad = 0;
let samples = 0;
let events = 0;
const startedAt = performance.now();
for (let seed = first; seed <= last; seed++) {
  const outcome = await runSeed(seed);
  samples += outcome.samples;
  events += outcome.events;
  if (outcome.violations.length === 0) continue;
  bad += 1;
  console.log(
    `seed ${seed} (${outcome.kinds.join(', ')}):\n  ${outcome.violations.slice(0, 5).join('\n  ')}`,
  );
}
const count = last - first + 1;
console.log(
  `\ndiscovery-sim: ${count} seeds, ${samples} looks at lists, ${events} events of watches checked, ` +
    `${((performance.now() - startedAt) / count).toFixed(1)} ms a seed`,
);
figure('seeds with a violation', bad, 0);

const world = new Simulation({ seed: 1, instances: 10, watchers: clients, interval: 10 });
await world.run(5000);
const before = world.lookups;
world.restart(10_000);
await world.run(40_000);
const differences = world.differences().length;
console.log(
  `\nrestart of the registry without a memory, ${clients} clients, ${world.lookups - before} lookups`,
);
figure('lookups that failed', world.failedLookups, 0);
figure('violations', world.violations.length, 0);
figure('lists that differ from the truth 40 s later', differences, 0);
