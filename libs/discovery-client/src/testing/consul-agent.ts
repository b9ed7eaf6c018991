/// <reference types="node" />
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Whether there is a Consul on this machine; its tests are skipped, aloud, where there is none. */
export const hasConsul = spawnSync('consul', ['version']).status === 0;

/** A real agent in development mode, on free ports of loopback. */
export class ConsulAgent {
  #agent: ChildProcess | undefined;
  #ports: readonly number[] = [];

  get url(): string {
    return `consul://127.0.0.1:${this.#ports[0] ?? 0}`;
  }

  /** Starts it, on the ports that it had. Resolves when it has a leader, which is when it answers about services. */
  async start(): Promise<this> {
    if (this.#ports.length === 0) this.#ports = await freePorts(4);
    const [http, server, lan, wan] = this.#ports;
    const ports = `ports { http = ${http}, dns = -1, grpc = -1, server = ${server}, serf_lan = ${lan}, serf_wan = ${wan} }`;
    this.#agent = spawn('consul', ['agent', '-dev', '-bind=127.0.0.1', '-log-level=err', '-hcl', ports], {
      stdio: 'ignore',
    });
    while (!(await this.#hasLeader())) await new Promise((resolve) => setTimeout(resolve, 50));
    return this;
  }

  /** As kill -9 would: nothing is told to anybody, and a development agent remembers nothing. */
  async kill(): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const gone = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill('SIGKILL');
    await gone;
  }

  /** Any route of its API. */
  async api(path: string, method = 'GET'): Promise<unknown> {
    const response = await fetch(`${this.url.replace('consul:', 'http:')}${path}`, { method });
    return await response.json().catch(() => undefined);
  }

  async #hasLeader(): Promise<boolean> {
    const services = this.api('/v1/health/service/consul?passing=1').catch(() => undefined);
    const found = await services;
    return Array.isArray(found) && found.length > 0;
  }
}

/** Ports that were free a moment ago, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => {
            resolve((server.address() as AddressInfo).port);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
