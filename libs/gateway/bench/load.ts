/** Keeps connections busy for a while and says what came of it: `wrk` where it is installed, else a small generator in Node. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isInstalled, pinned } from './machine.ts';

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Sent with POST. Default: a GET. */
  readonly body?: string;
}

export interface Loaded {
  readonly requests: number;
  /** Bytes of all answers, heads included. */
  readonly bytes: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What a browser behind a login sends. */
export const requestHeaders = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  accept: 'application/json, text/plain, */*',
  'accept-encoding': 'gzip, deflate, br',
  'accept-language': 'en-US,en;q=0.8',
  authorization: `Bearer ${'eyJhbGciOiJFUzI1NiJ9.'.padEnd(200, 'x')}`,
};

export const generator = isInstalled('wrk') ? 'wrk' : 'node';

const run = promisify(execFile);

export async function load(wanted: Load): Promise<Loaded> {
  return generator === 'wrk' ? await withWrk(wanted) : await withNode(wanted);
}

async function withNode(wanted: Load): Promise<Loaded> {
  const command = [process.execPath, join(import.meta.dirname, 'load-generator.mts'), JSON.stringify(wanted)];
  const [file = '', ...args] = pinned('load', command);
  return JSON.parse((await run(file, args)).stdout) as Loaded;
}

async function withWrk({ url, connections, seconds, body }: Load): Promise<Loaded> {
  const headers = Object.entries(requestHeaders).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const numbers = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '--latency'];
  const command = ['wrk', ...numbers, ...headers, ...script(body), url];
  const [file = '', ...args] = pinned('load', command);
  return readWrk((await run(file, args)).stdout);
}

function script(body: string | undefined): string[] {
  if (body === undefined) return [];
  const file = join(tmpdir(), `mesh-bench-post-${process.pid}.lua`);
  writeFileSync(
    file,
    `wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = [[${body}]]\n`,
  );
  return ['-s', file];
}

const unit = { us: 1e-3, ms: 1, s: 1e3, m: 6e4 } as const;
const size = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 } as const;

function readWrk(output: string): Loaded {
  const latency = (percent: string): number => {
    const [, value, of = 'ms'] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s|m)`).exec(output) ?? [];
    return Number(value) * unit[of as keyof typeof unit];
  };
  const [, requests, bytes, of = 'B'] = /(\d+) requests in [^,]+, ([\d.]+)([KMG]?B) read/.exec(output) ?? [];
  const errors = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ?? [];
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0);
  return {
    requests: Number(requests),
    bytes: Number(bytes) * size[of as keyof typeof size],
    failed: errors.reduce((sum, count) => sum + Number(count), refused),
    p50Ms: latency('50'),
    p99Ms: latency('99'),
  };
}
