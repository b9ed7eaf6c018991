import type { ProcessSnapshot } from '@mesh/orchestrator';

/** `0.45 s`; short times in ms. */
export function seconds(ms: number): string {
  return ms < 100 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** The processes as lines of a table; columns in which nothing stands are left out. */
export function processTable(processes: readonly ProcessSnapshot[]): string[] {
  const rows = processes.map((process) => [
    process.instance,
    process.state,
    process.url ?? '',
    process.pid === undefined ? '' : String(process.pid),
    process.readyMs === undefined ? '' : seconds(process.readyMs),
    process.restarts === 0 ? '' : String(process.restarts),
    process.reason ?? '',
  ]);
  return table([['instance', 'state', 'url', 'pid', 'ready after', 'restarts', 'reason'], ...rows]);
}

function table([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const columns = head
    .map((title, index) => ({ index, cells: [title, ...rows.map((row) => row[index] ?? '')] }))
    .filter(({ cells }) => cells.slice(1).some((cell) => cell !== ''))
    .map(({ cells }) => {
      const width = Math.max(...cells.map((cell) => cell.length));
      return cells.map((cell) => cell.padEnd(width));
    });
  return [head, ...rows].map((_, row) => `  ${columns.map((cells) => cells[row]).join('   ')}`.trimEnd());
}
