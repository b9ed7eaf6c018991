/** `node --conditions=@mesh/source libs/load-balancer/bench/simulation/whole-grid.ts`: the grid with its busiest points, a quarter of an hour. */
import { runGrid } from './grid-run.ts';
import { missLine } from './report.ts';
import { grid } from './setting.ts';

const misses = runGrid(grid(), console.log);
for (const miss of misses) console.log(missLine(miss));
if (misses.some(({ reason }) => reason === undefined)) process.exitCode = 1;
