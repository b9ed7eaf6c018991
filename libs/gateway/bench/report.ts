/** Tables of figures, as markdown: what is printed can go into a README as it is. */
import { figure } from '../../../tools/contest.mts';
import type { Score, Scores } from './rounds.ts';

export type Column = readonly [title: string, value: (score: Score) => string];

const fixed = (digits: number, of: (score: Score) => number) => (score: Score) => of(score).toFixed(digits);

export const cpu: Column = ['CPU us', fixed(1, ({ cpuUs }) => cpuUs)];
export const quiet: Column = ['quietest', fixed(1, ({ quietUs }) => quietUs)];
export const cpuPerMiB: Column = ['CPU ms/MiB', fixed(2, ({ cpuMsPerMiB }) => cpuMsPerMiB)];
export const speed: Column = ['req/s', fixed(0, ({ requestsPerSecond }) => requestsPerSecond)];
export const p50: Column = ['p50 ms', fixed(2, ({ p50Ms }) => p50Ms)];
export const p99: Column = ['p99 ms', fixed(1, ({ p99Ms }) => p99Ms)];
export const core: Column = ['core', ({ coreRatio }) => `${(100 * coreRatio).toFixed(0)} %`];
export const rss: Column = ['RSS MB', fixed(0, ({ rssMB }) => rssMB)];
export const failed: Column = ['failed', fixed(0, ({ failed }) => failed)];

export const against = (scores: Scores, other: string, of: (score: Score) => number): Column => {
  const base = scores.get(other);
  return [`x ${other}`, (score) => (base === undefined ? '-' : (of(score) / of(base)).toFixed(2))];
};

export function table(title: string, scores: Scores, columns: readonly Column[]): void {
  console.log(`\n${title}\n`);
  const names = [...scores.keys()].map((name) => name.padEnd(24));
  const cells = columns.map(([head, value]) => {
    const column = [head, ...[...scores.values()].map(value)];
    const width = Math.max(...column.map(({ length }) => length));
    return column.map((cell) => cell.padStart(width));
  });
  const row = (first: string, at: number): string =>
    `| ${first} | ${cells.map((cell) => cell[at]).join(' | ')} |`;
  console.log(row(''.padEnd(24), 0));
  console.log(
    `| ${'-'.repeat(24)} | ${cells.map(([head = '']) => `${'-'.repeat(head.length - 1)}:`).join(' | ')} |`,
  );
  names.forEach((name, at) => {
    console.log(row(name, at + 1));
  });
  console.log();
}

export interface Ratio {
  readonly against: string;
  readonly atMost: number;
}

/** Judges `ours` against others of the same run; what did not run is said, not judged. */
export function judge(scores: Scores, goals: readonly Ratio[], of: (score: Score) => number): void {
  const ours = scores.get('ours');
  for (const { against, atMost } of goals) {
    const other = scores.get(against);
    if (ours === undefined || other === undefined) {
      console.log(`  skipped ours / ${against}: not measured here`);
    } else if (ours.failed + other.failed > 0) {
      figure(
        `ours / ${against}: requests that failed, so that it means nothing`,
        ours.failed + other.failed,
        0,
      );
    } else figure(`ours / ${against}`, of(ours) / of(other), atMost);
  }
}
