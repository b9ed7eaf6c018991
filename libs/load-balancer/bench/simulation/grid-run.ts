import { blackHole, coldStart, failsFast, halfErrors, slow } from './fault.ts';
import type { Setting } from './fault.ts';
import { missesOf } from './goal.ts';
import type { Miss } from './goal.ts';
import { adaptive } from './ours.ts';
import { gridLine, race } from './report.ts';
import { nameOf } from './setting.ts';

const gridFaults = [failsFast, halfErrors, blackHole, slow, coldStart];

/** Runs adaptive at each point, prints a line for each, and gives what missed. */
export function runGrid(settings: readonly Setting[], print: (line: string) => void): readonly Miss[] {
  print(`  errors and way back under ${gridFaults.map(({ name }) => name).join(', ')}`);
  return settings.flatMap((setting) => {
    const figures = race(setting, gridFaults, [adaptive]).flat();
    print(gridLine(nameOf(setting), figures));
    return figures.flatMap((each, at) => missesOf(setting, gridFaults[at] ?? failsFast, each));
  });
}
