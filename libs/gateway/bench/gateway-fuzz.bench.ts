/**
 * The long run of what `src/security/fuzz.spec.ts` does in every test run: requests that are broken in every way, against a gateway before
 * instances that record each byte. Fails when an instance reads something that two parsers could read differently.
 *
 *   npm run bench -- gateway-fuzz                     100 000 inputs, one to five minutes
 *   npm run bench -- gateway-fuzz --inputs=1000000
 */
import { parseArgs } from 'node:util';
import { figure } from '../../../tools/contest.mts';
import { fuzzGateway } from '../src/testing/wire-fuzz.ts';

const { values: options } = parseArgs({
  allowPositionals: true,
  options: { inputs: { type: 'string', default: '100000' } },
});

const started = performance.now();
const { inputs, arrived, answers } = await fuzzGateway(Number(options.inputs));
console.log();
figure('inputs', inputs);
figure('requests that reached an instance, all plain', arrived);
for (const [status, count] of [...answers].sort(([a], [b]) => a - b)) figure(`answers: ${status}`, count);
figure('answers: 500', answers.get(500) ?? 0, 0);
figure('seconds', (performance.now() - started) / 1_000);
