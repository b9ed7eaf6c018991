/** A real Consul agent, where there is one on the path (`.ci/run` says how to get it). */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface ConsulProcess {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Its version, undefined where there is none. */
export function consulVersion(): string | undefined {
  const { status, stdout } = spawnSync('consul', ['version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0] : undefined;
}

/** One agent in development mode, so that it is its own server, with these instances registered and passing. */
export async function startConsul(
  instances: readonly { readonly name: string; readonly host: string; readonly port: number }[],
): Promise<ConsulProcess> {
  const [http, server, lan, wan] = await freePorts(4);
  const ports = `ports { http = ${http}, dns = -1, grpc = -1, server = ${server}, serf_lan = ${lan}, serf_wan = ${wan} }`;
  const limits = 'limits { http_max_conns_per_client = 0 }';
  const options = ['-dev', '-bind=127.0.0.1', '-log-level=err', '-hcl', ports, '-hcl', limits];
  const agent = spawn('consul', ['agent', ...options], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${http}`;
  while (!(await isLed(url))) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const { name, host, port } of instances) {
    const check = { TTL: '1h', Status: 'passing' };
    const body = JSON.stringify({
      Name: name,
      ID: `${host}:${port}`,
      Address: host,
      Port: port,
      Check: check,
    });
    const answer = await fetch(`${url}/v1/agent/service/register`, { method: 'PUT', body });
    if (!answer.ok) throw new Error(`Consul refused: ${await answer.text()}`);
  }
  return {
    url,
    pid: agent.pid ?? 0,
    stop: async () => {
      agent.kill('SIGKILL');
      await once(agent, 'exit');
    },
  };
}

async function isLed(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/v1/health/service/consul?passing=1`).catch(() => undefined);
  const found: unknown = answer?.ok === true ? await answer.json() : undefined;
  return Array.isArray(found) && found.length > 0;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
