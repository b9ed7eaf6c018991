import type { Contender } from './balancer.ts';
import type { Fault, Setting } from './fault.ts';
import { percent } from './goal.ts';
import type { Miss } from './goal.ts';
import type { Figures } from './measure.ts';
import { Simulation } from './simulation.ts';

/** The figures of each contender under each fault: a row for a fault. The same seed for all: the same requests. */
export function race(
  setting: Setting,
  faults: readonly Fault[],
  contenders: readonly Contender[],
  seed = 1,
): readonly (readonly Figures[])[] {
  return faults.map((fault) =>
    contenders.map((contender) => new Simulation(setting, fault, contender, seed).run()),
  );
}

const nameWidth = 34;

/** A table of one scenario. */
export function scenarioTable(
  fault: Fault,
  contenders: readonly Contender[],
  row: readonly Figures[],
): string {
  const head = ['errors', 'back after', 'p50 ms', 'p99 ms', 'p99.9 ms']
    .map((word) => word.padStart(11))
    .join('');
  const lines = contenders.map(({ name }, at) => `  ${name.padEnd(nameWidth)}${cells(row[at])}`);
  return [`${fault.name.padEnd(nameWidth + 2)}${head}`, ...lines].join('\n');
}

function cells(figures: Figures | undefined): string {
  if (!figures) return '';
  const { errorRatio, regainMs, p50Ms, p99Ms, p999Ms } = figures;
  const times = [p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(ms < 10 ? 1 : 0));
  return [percent(errorRatio), seconds(regainMs), ...times].map((cell) => cell.padStart(11)).join('');
}

export function seconds(ms: number): string {
  return ms === Infinity ? 'not in run' : `${(ms / 1_000).toFixed(1)} s`;
}

/** One line of the grid: errors of each fault, then the way back of each. */
export function gridLine(name: string, figures: readonly Figures[]): string {
  const errors = figures.map(({ errorRatio }) => percent(errorRatio, 3).padStart(10)).join('');
  const back = figures.map(({ regainMs }) => seconds(regainMs).padStart(7)).join('');
  return `  ${name.padEnd(28)}${errors} ${back}`;
}

export function missLine({ where, what, reason }: Miss): string {
  return `  ${reason === undefined ? 'MISSED ' : 'excused'} ${where}: ${what}${reason === undefined ? '' : ` (${reason})`}`;
}
