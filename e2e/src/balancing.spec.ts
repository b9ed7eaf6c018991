import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DiscoveryClient } from '@mesh/discovery-client';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './eventually.ts';
import { get, load } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

/** An instance of a service of somebody's own, registered like any other. It can be told to be slow, or to fail. */
class Moody {
  readonly name: string;
  hits = 0;
  delayMs = 2;
  status = 200;
  readonly #server: Server = createServer((_, response) => {
    this.hits++;
    setTimeout(() => response.writeHead(this.status).end(this.name), this.status === 200 ? this.delayMs : 0);
  });

  constructor(name: string) {
    this.name = name;
  }

  async join(discovery: DiscoveryClient): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const { port } = this.#server.address() as AddressInfo;
    await discovery.register({ name: 'moody-service', host: '127.0.0.1', port });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const [good, slow, failing] = [new Moody('good'), new Moody('slow'), new Moody('failing')];
const all = [good, slow, failing];
let mesh: RunningMesh;
let discovery: DiscoveryClient;

beforeAll(async () => {
  // The circuits stay closed: what moves here is moved by the balancer.
  mesh = await startMesh({ CIRCUIT_MAXIMUM_FAILURES: '1000' }, '--only', 'api-gateway');
  discovery = new DiscoveryClient({ serverUrl: mesh.url('discovery') });
  for (const instance of all) await instance.join(discovery);
  await eventually(async () => {
    for (let at = 0; at < 30; at++) expect((await ask()).status).toBe(200);
    expect(all.every(({ hits }) => hits > 0)).toBe(true);
  });
});
afterAll(async () => {
  await discovery.close();
  for (const instance of all) instance.close();
  await mesh.stop();
});

const ask = () => get(`${mesh.url('api-gateway')}/api/moody-service/`);

/** Parts of the traffic of the three while `run` goes on. */
async function shares(run: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = all.map(({ hits }) => hits);
  await run();
  const hits = all.map((instance, at) => instance.hits - (before[at] ?? NaN));
  const total = hits.reduce((sum, each) => sum + each, 0);
  return Object.fromEntries(all.map(({ name }, at) => [name, (hits[at] ?? NaN) / total]));
}

const forMs = (ms: number) => () => new Promise((resolve) => setTimeout(resolve, ms));

test('the traffic leaves a slow and a failing instance, nobody notices, and it comes back when they are well', async () => {
  const stop = load(8, async () => {
    const { status } = await ask();
    return status === 200 ? undefined : `status ${status}`;
  });
  const well = await shares(forMs(1500));

  slow.delayMs = 250;
  failing.status = 503;
  await forMs(500)();
  const sick = await shares(forMs(2500));

  slow.delayMs = 2;
  failing.status = 200;
  await forMs(4000)();
  const again = await shares(forMs(1500));

  const { sent, faults } = await stop();
  console.info(JSON.stringify({ sent, well, sick, again }));
  expect(faults).toEqual([]);
  for (const name of ['good', 'slow', 'failing']) {
    expect(well[name]).toBeGreaterThan(0.2);
    expect(again[name]).toBeGreaterThan(0.2);
  }
  expect(sick['good']).toBeGreaterThan(0.8);
  expect(sick['slow']).toBeLessThan(0.15);
  expect(sick['failing']).toBeLessThan(0.05);
});
