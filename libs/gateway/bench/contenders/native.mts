/** A proxy that is not Node: written to a folder, started, and measured with all of its processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reachable } from '../reachable.ts';
import type { Listening, Usage } from './contend.mts';

interface Native {
  readonly command: string;
  readonly args: (config: string, folder: string) => readonly string[];
  readonly config: (port: number, folder: string) => string;
  readonly cached?: string;
}

export async function startNative({ command, args, config, cached }: Native): Promise<Listening> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-bench-'));
  // Started by root, nginx works as somebody who is not.
  chmodSync(folder, 0o755);
  const file = join(folder, 'proxy.conf');
  const port = await freePort();
  writeFileSync(file, config(port, folder));
  const child = spawn(command, args(file, folder), { stdio: ['ignore', 'ignore', 'inherit'] });
  await reachable(port);
  const close = async (): Promise<void> => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, ...(cached !== undefined && { cached }), usage: () => usageOf(child.pid ?? 0), close };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Linux counts in ticks of 10 ms. */
const tickUs = 10_000;

/** Usage of a process and its children, from /proc. */
function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children
    .map((child) => usageOf(Number(child)))
    .reduce((sum, one) => ({ cpuUs: sum.cpuUs + one.cpuUs, rssBytes: sum.rssBytes + one.rssBytes }), {
      cpuUs: (Number(fields[11]) + Number(fields[12])) * tickUs,
      rssBytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024,
    });
}
