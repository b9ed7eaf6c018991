import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Sends a signal to every process of a group; a group that is gone already is what was wanted. */
export function signalGroup(group: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (process.platform === 'win32') {
    const tree = spawn('taskkill', ['/pid', String(group), '/t', '/f'], {
      stdio: 'ignore',
      windowsHide: true,
    });
    tree.on('error', () => undefined);
    return;
  }
  try {
    process.kill(-group, signal);
  } catch {
    // ESRCH: gone. EPERM: what is left runs as somebody else, which is reported as a survivor.
  }
}

/** Whether a process of the group runs; one that has ended but was never reaped does not. */
export function isGroupAlive(group: number): boolean {
  if (!exists(process.platform === 'win32' ? group : -group)) return false;
  if (process.platform !== 'linux') return true;
  return hasRunningMember(group);
}

function exists(target: number): boolean {
  try {
    process.kill(target, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** In a container whose first process reaps nobody, orphans stay as zombies for ever: proc(5) tells them apart. */
function hasRunningMember(group: number): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command in parentheses may hold anything; after it come state, parent, group.
      const [state, , memberOf] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return memberOf === String(group) && state !== 'Z' && state !== 'X';
    } catch {
      return false;
    }
  });
}
