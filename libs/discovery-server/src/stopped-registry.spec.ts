import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from '@jest/globals';
import { startProcess } from './testing/living-process.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Milliseconds for which the registry stands still: several leases of an instance that beats every second. */
const stoppedMs = 5000;

test('SIGSTOP of the registry for several leases: nobody living is missing after SIGCONT, who died meanwhile is gone', async () => {
  const script = join(import.meta.dirname, 'testing', 'small-server.mts');
  const registry = spawn(process.execPath, ['--conditions=@mesh/source', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closers.push(() => registry.kill('SIGKILL'));
  const [line] = (await once(createInterface(registry.stdout), 'line')) as [string];
  const url = `http://127.0.0.1:${line}`;
  const options = [{ session: true }, { session: false }, { session: true }, { session: false }];
  const processes = await Promise.all(options.map((one) => startProcess(url, { ...one, interval: 1 })));
  for (const one of processes) closers.push(() => one.kill());
  const listed = async (): Promise<number[]> => {
    const answer = await fetch(`${url}/services/user-service`);
    const { instances = [] } = (await answer.json()) as { instances?: { port: number }[] };
    return instances.map(({ port }) => port).sort();
  };
  const [first, second, ...others] = processes;
  const living = others.map(({ port }) => port).sort();
  expect(await listed()).toEqual(processes.map(({ port }) => port).sort());

  registry.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, stoppedMs));
  await Promise.all([first?.kill(), second?.kill()]);
  registry.kill('SIGCONT');

  // Two leases long, at every look.
  const untilMs = performance.now() + 3500;
  while (performance.now() < untilMs) {
    expect(await listed()).toEqual(expect.arrayContaining(living));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await listed()).toEqual(living);
}, 60_000);
