/** Probes one proxy, in a thread of its own: what a case has opened is closed for the whole thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { runProbe, startGateway, type StartProxy } from '../src/testing/probes/probe.ts';
import { probes } from '../src/testing/probes/probes.ts';
import { cleanups } from '../src/testing/raw-http.ts';
import { Contender } from './contender.ts';

/** What the thread is told. */
export interface Probing {
  readonly proxy: string;
  /** Only cases whose name has this in it. */
  readonly only: string;
  readonly waitMs: number;
}

/** What it says at the end: of each case what did not hold, or undefined; or why the proxy does not run here. */
export type Probed = ReadonlyMap<string, string | undefined> | string;

const { proxy, only, waitMs } = workerData as Probing;

/** Another process for each case, with nothing in it of the case before. */
const startOther: StartProxy = async (instance) => {
  const contender = await Contender.start(proxy, [`http://127.0.0.1:${instance}`]);
  cleanups.push(() => contender.end());
  return Number(new URL(contender.origin).port);
};

async function failureOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as Error).message.replaceAll(/\s+/g, ' ').slice(0, 120);
  }
}

async function probeAll(): Promise<Probed> {
  const start = proxy === 'ours' ? startGateway : startOther;
  const fault = await failureOf(runProbe({ name: 'starts', holds: () => Promise.resolve() }, start, 10_000));
  if (fault !== undefined) return fault;
  const outcomes = new Map<string, string | undefined>();
  for (const probe of probes.filter(({ name }) => name.includes(only))) {
    outcomes.set(probe.name, await failureOf(runProbe(probe, start, waitMs)));
  }
  return outcomes;
}

parentPort?.postMessage(await probeAll());
