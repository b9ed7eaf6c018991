import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Whether a program can be started by its name. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['-v'], { stdio: 'ignore' }).error === undefined;
}

const canPin = process.platform === 'linux' && availableParallelism() > 1 && isInstalled('taskset');

/** The proxy has the last core for itself; load and instances share the first. */
export function pinned(role: 'proxy' | 'load', command: readonly string[]): readonly string[] {
  const core = role === 'proxy' ? availableParallelism() - 1 : 0;
  return canPin ? ['taskset', '-c', String(core), ...command] : command;
}
