import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Whether a program can be started by its name. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['-v'], { stdio: 'ignore' }).error === undefined;
}

/** How many sockets this process may hold, with some left for everything else. */
export function mostSockets(): number {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | string } };
  };
  const limit = Number(userLimits?.open_files?.soft);
  return Number.isFinite(limit) ? limit - 500 : Infinity;
}

export const canPin = process.platform === 'linux' && availableParallelism() > 1 && isInstalled('taskset');

/** The proxy has the last core for itself; load and instances share the first. */
export function pinned(role: 'proxy' | 'load', command: readonly string[]): readonly string[] {
  const core = role === 'proxy' ? availableParallelism() - 1 : 0;
  return canPin ? ['taskset', '-c', String(core), ...command] : command;
}
