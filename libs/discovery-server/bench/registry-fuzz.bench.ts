/** Nonsense for every route: `REQUESTS=100000 SEED=1 npm run bench -- registry-fuzz`. What is found is printed with its seed. */
import { figure } from '../../../tools/contest.mts';
import { fuzzRequests } from '../src/testing/request-fuzz.ts';

const requests = Number(process.env['REQUESTS'] ?? 100_000);
const seed = process.env['SEED'] === undefined ? undefined : Number(process.env['SEED']);
let crashes = 0;
process.on('unhandledRejection', (error) => {
  crashes += 1;
  console.log(error);
});
const { statuses, fault, isHealthy } = await fuzzRequests(requests, seed);
const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
console.log(`\nregistry-fuzz: ${requests} requests, ${counts.join(', ')}`);
if (fault !== undefined) console.log(`  ${fault}`);
figure('answers that no request may have', fault === undefined ? 0 : 1, 0);
figure('crashes', crashes + (isHealthy ? 0 : 1), 0);
