/**
 * Like `contest`, for loops of a few nanoseconds on a machine that others use too. Each contender has a thread of its own: a
 * process uses one or two strategies, while an isolate with all of them would compile each call for ten shapes. A round counts
 * the processor time of the thread, not the time on the wall, and the best round counts: what disturbs only ever adds.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Goal } from '../../../tools/contest.mts';
import type { Task } from './picks.ts';

const rounds = 7;
const roundMs = 10;

/** Runs the contenders in alternating rounds and prints nanoseconds and goals; a missed goal fails the process. */
export async function race(
  title: string,
  tasks: Readonly<Record<string, Task>>,
  goals: readonly Goal[] = [],
): Promise<ReadonlyMap<string, number>> {
  const workers = new Map<string, Worker>();
  for (const [name, task] of Object.entries(tasks)) workers.set(name, await start(task));
  const best = new Map<string, number>();
  for (let round = 0; round < rounds; round++)
    for (const [name, worker] of workers)
      best.set(name, Math.min(best.get(name) ?? Infinity, await run(worker)));
  await Promise.all(Array.from(workers.values(), (worker) => worker.terminate()));
  console.log(`\n${title}`);
  for (const [name, ns] of best) console.log(`  ${name.padEnd(44)} ${ns.toFixed(1).padStart(10)} ns`);
  for (const goal of goals) judge(goal, best);
  return best;
}

async function start(task: Task): Promise<Worker> {
  const worker = new Worker(new URL('./race-worker.ts', import.meta.url), { workerData: task });
  await once(worker, 'message');
  return worker;
}

async function run(worker: Worker): Promise<number> {
  worker.postMessage(roundMs);
  const [ns] = (await once(worker, 'message')) as [number];
  return ns;
}

function judge({ of, against, atMost }: Goal, best: ReadonlyMap<string, number>): void {
  const times = (best.get(against) ?? NaN) / (best.get(of) ?? NaN);
  const isMet = times >= 1 / atMost;
  console.log(
    `  ${isMet ? 'met   ' : 'MISSED'} ${of}: ${times.toFixed(0)} times as fast as ${against} (goal ${1 / atMost})`,
  );
  if (!isMet) process.exitCode = 1;
}
