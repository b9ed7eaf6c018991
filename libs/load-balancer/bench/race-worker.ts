import { parentPort, workerData } from 'node:worker_threads';
import { loopOf } from './picks.ts';
import type { Task } from './picks.ts';

/** Turns of the loop between two looks at the time: short against a round, long against reading the clock. */
const batch = 1000;

const loop = loopOf(workerData as Task);

/** Nanoseconds of processor time that one iteration takes, measured for so many milliseconds of it. */
function measure(forMs: number): number {
  const start = process.threadCpuUsage();
  for (let iterations = batch; ; iterations += batch) {
    loop(batch);
    const { user, system } = process.threadCpuUsage(start);
    if (user + system >= forMs * 1000) return ((user + system) * 1000) / iterations;
  }
}

measure(100); // compiles it
parentPort?.postMessage('ready');
parentPort?.on('message', (forMs: number) => parentPort?.postMessage(measure(forMs)));
