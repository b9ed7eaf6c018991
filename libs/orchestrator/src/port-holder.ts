import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** The process that listens on a port. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line, at most 120 characters. */
  readonly command: string;
}

/**
 * Finds who listens on a TCP port of this machine through Linux' `/proc` (proc(5)): the socket's inode in
 * `net/tcp` and `net/tcp6`, then the process that has it open. Best effort: undefined elsewhere, for processes
 * of other users, and when the search takes longer than `budgetMs` (default 1000; it is usually 50).
 */
export async function findPortHolder(port: number, budgetMs = 1000): Promise<PortHolder | undefined> {
  const deadline = performance.now() + budgetMs;
  const sockets = listeningSockets(port);
  if (sockets.size === 0) return undefined;
  // The newest processes first: what stands in the way was usually started a moment ago.
  const pids = list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => b - a);
  for (const pid of pids) {
    if (performance.now() > deadline) return undefined;
    if (holdsAny(pid, sockets)) return { pid, command: commandOf(pid) };
    await nextTurn();
  }
  return undefined;
}

function listeningSockets(port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const row of read(file).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
      if (state === '0A' && local.endsWith(suffix)) sockets.add(`socket:[${inode}]`);
    }
  }
  return sockets;
}

function holdsAny(pid: number, sockets: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  return list(folder).some((fd) => sockets.has(link(`${folder}/${fd}`)));
}

function commandOf(pid: number): string {
  const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  const shown = command === '' ? read(`/proc/${pid}/comm`).trim() : command;
  return shown.length > 120 ? `${shown.slice(0, 117)}...` : shown;
}

// Processes end while they are looked at and others may not be looked into: both mean "nothing here".
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

const list = (folder: string): string[] => attempt(() => readdirSync(folder), []);
const read = (file: string): string => attempt(() => readFileSync(file, 'utf8'), '');
const link = (file: string): string => attempt(() => readlinkSync(file), '');
