/** Noise in place of watches and sessions: `INPUTS=100000 npm run bench -- discovery-fuzz`. Each input is one stream. */
import { figure } from '../../../tools/contest.mts';
import { NoisyClient } from '../src/testing/noisy-client.ts';
import { seeded } from '@mesh/resilience/testing';

const inputs = Number(process.env['INPUTS'] ?? 5000);
let streams = 0;
let faults = 0;
let crashes = 0;
process.on('unhandledRejection', (error) => {
  crashes += 1;
  console.log(error);
});
for (let seed = 1; streams < inputs; seed++) {
  const noisy = new NoisyClient(seeded(seed));
  await noisy.listen(600_000);
  streams += noisy.events.filter(({ type }) => type === 'watch-lost' || type === 'session-lost').length;
  const fault = noisy.fault();
  if (fault !== undefined) console.log(`seed ${seed}: ${fault}`);
  faults += fault === undefined ? 0 : 1;
  noisy.isNoisy = false;
  await noisy.client.close();
}
console.log(`\ndiscovery-fuzz: ${streams} streams of noise`);
figure('crashes', crashes, 0);
figure('lists that were not whole', faults, 0);
