/** How long it takes to start, lose, regain and stop eight bare HTTP servers in two layers. */
import { defineMesh, Mesh, type StateEvent } from '@mesh/orchestrator';

const server = `require('node:http').createServer((_, response) => response.end()).listen(process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));`;
const command = ['node', '-e', server];
const rounds = 10;

const config = defineMesh({
  services: {
    registry: { command, ports: 3000 },
    users: { command, ports: { from: 4000, count: 3 }, dependsOn: ['registry'] },
    orders: { command, ports: { from: 5000, count: 3 }, dependsOn: ['registry'] },
    gateway: { command, ports: 8000, dependsOn: ['registry'], uses: ['users', 'orders'] },
  },
});

const samples = new Map<string, number[]>();

async function timed(name: string, work: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  await work();
  samples.set(name, [...(samples.get(name) ?? []), performance.now() - startedAt]);
}

const next = (mesh: Mesh, fits: (event: StateEvent) => boolean): Promise<unknown> =>
  new Promise<void>((resolve) => {
    const unsubscribe = mesh.on('state', (event) => {
      if (!fits(event)) return;
      unsubscribe();
      resolve();
    });
  });

for (let round = 0; round < rounds; round++) {
  const mesh = new Mesh(config, { isolated: true });
  await timed('start, all eight ready', () => mesh.start());
  const victim = mesh.getSnapshot().at(2);
  const crashed = next(mesh, ({ state }) => state === 'crashed');
  const ready = next(mesh, ({ state }) => state === 'ready');
  if (victim?.pid !== undefined) process.kill(victim.pid, 'SIGKILL');
  await Promise.all([timed('kill -9 seen', () => crashed), timed('kill -9 to ready again', () => ready)]);
  await timed('stop, all eight gone', () => mesh.stop());
}

console.log(`eight bare servers, two layers, median of ${rounds} rounds`);
for (const [name, times] of samples) {
  const sorted = times.sort((a, b) => a - b);
  const [median = NaN, worst = NaN] = [sorted[Math.floor(rounds / 2)], sorted.at(-1)];
  console.log(`  ${name.padEnd(26)} ${median.toFixed(1).padStart(8)} ms   (worst ${worst.toFixed(1)} ms)`);
}
