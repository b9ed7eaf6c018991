/**
 * Three instances that answer at once: 1 KB of JSON at `/items`, bodies of 1 and 100 MB at `/items/1m` and `/items/100m`. One nginx
 * process serves all three ports where it is installed, so that the instances are never what is measured; otherwise one Node process.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './contenders/native.mts';
import { isInstalled, pinned } from './machine.ts';
import { reachable } from './reachable.ts';

export const itemJson = JSON.stringify({
  items: Array.from({ length: 9 }, (_, id) => ({
    id,
    name: `item number ${id}`,
    price: 10 * id + 9.5,
    tags: ['one', 'two'],
    note: 'in stock since last spring, sent in two days',
  })),
})
  .slice(0, 1022)
  .padEnd(1022, ' ')
  .concat('\r\n');

/** What a service of the mesh sends beside its body. */
export const itemHeaders = {
  'cache-control': 'public, max-age=60',
  'x-request-id': '8f14e45f-ceea-467f-a9b2-d7a3c9f0b1de',
  vary: 'accept-encoding',
  etag: '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
  'x-content-type-options': 'nosniff',
};

export const megabyte = 1024 * 1024;

export interface Upstreams {
  readonly server: 'nginx' | 'node';
  readonly origins: readonly string[];
  close(): void;
}

export async function startUpstreams(): Promise<Upstreams> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'mesh-bench-'));
  // Started by root, nginx serves as somebody who is not.
  chmodSync(folder, 0o755);
  const server = isInstalled('nginx') ? 'nginx' : 'node';
  const child = server === 'nginx' ? startNginx(folder, ports) : startNode(ports);
  for (const port of ports) await reachable(port);
  return {
    server,
    origins: ports.map((port) => `http://127.0.0.1:${port}`),
    close: () => {
      child.once('exit', () => {
        rmSync(folder, { recursive: true, force: true });
      });
      child.kill('SIGTERM');
    },
  };
}

function startNode(ports: readonly number[]): ChildProcess {
  return fork(join(import.meta.dirname, 'item-service.mts'), ports.map(String));
}

function startNginx(folder: string, ports: readonly number[]): ChildProcess {
  for (const [name, size] of [
    ['1m', 1],
    ['100m', 100],
  ] as const) {
    writeFileSync(join(folder, name), '');
    truncateSync(join(folder, name), size * megabyte);
  }
  const file = join(folder, 'upstreams.conf');
  writeFileSync(file, nginxConfig(folder, ports));
  const [command = '', ...args] = pinned('load', ['nginx', '-c', file, '-p', folder, '-e', 'stderr']);
  return spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

const nginxConfig = (folder: string, ports: readonly number[]): string => `
  daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
  events { worker_connections 4096; }
  http {
    access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on; client_max_body_size 0;
    client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/0; fastcgi_temp_path ${folder}/1;
    uwsgi_temp_path ${folder}/2; scgi_temp_path ${folder}/3;
    server {
      ${ports.map((port) => `listen 127.0.0.1:${port} backlog=1024;`).join(' ')}
      default_type application/json;
      ${Object.entries(itemHeaders)
        .map(([name, value]) => `add_header ${name} '${value}';`)
        .join('\n      ')}
      location = /items/1m { root ${folder}; try_files /1m =404; }
      location = /items/100m { root ${folder}; try_files /100m =404; }
      location / { return 200 '${itemJson.replace('\r\n', '  ')}'; }
    }
  }`;
