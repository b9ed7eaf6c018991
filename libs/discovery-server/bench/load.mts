/** Load on a server that runs in a process of its own, and what it costs there. */
import { readFileSync } from 'node:fs';
import { percentile } from './watching.mts';

/** CPU time of a process in milliseconds, in steps of 10 (`utime` and `stime` of proc(5), 100 ticks a second). */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [utime, stime] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(utime) + Number(stime)) * 10;
}

/** What a kind of call costs: calls a second, and CPU of the server for each in microseconds. */
export interface Cost {
  readonly perSecond: number;
  readonly cpuUs: number;
}

/** 32 in flight for a while. */
export async function load(
  call: () => Promise<unknown>,
  cpuMs: () => Promise<number> | number,
  ms: number,
): Promise<Cost> {
  const before = await cpuMs();
  const begin = performance.now();
  let count = 0;
  const work = async (): Promise<void> => {
    while (performance.now() - begin < ms) {
      await call();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: 32 }, work));
  const seconds = (performance.now() - begin) / 1000;
  return { perSecond: count / seconds, cpuUs: (((await cpuMs()) - before) * 1000) / count };
}

/** What was measured of several kinds of calls. */
export interface Comparison {
  /** Medians of the rounds. */
  readonly cost: (name: string) => Cost;
  /**
   * How much longer one takes than another: the median over the rounds of their ratio within a round, so that what slows the
   * machine for a while slows both; and the same of the CPU.
   */
  readonly ratio: (name: string, against: string) => { readonly time: number; readonly cpu: number };
}

/** Rounds in which each kind of call has its turn; the first one warms up. */
export async function compare(
  calls: Readonly<Record<string, () => Promise<unknown>>>,
  cpuMs: () => Promise<number> | number,
  rounds = 15,
): Promise<Comparison> {
  const found = new Map<string, Cost[]>(Object.keys(calls).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, call] of Object.entries(calls)) {
      const cost = await load(call, cpuMs, 250);
      if (round > 0) found.get(name)?.push(cost);
    }
  }
  const of = (name: string): readonly Cost[] => found.get(name) ?? [];
  const median = (name: string, part: keyof Cost): number =>
    percentile(
      of(name).map((cost) => cost[part]),
      0.5,
    );
  const ratioOf = (name: string, against: string, part: keyof Cost): number =>
    percentile(
      of(name).map((cost, round) => cost[part] / (of(against)[round]?.[part] ?? NaN)),
      0.5,
    );
  return {
    cost: (name) => ({ perSecond: median(name, 'perSecond'), cpuUs: median(name, 'cpuUs') }),
    ratio: (name, against) => ({
      time: ratioOf(against, name, 'perSecond'),
      cpu: ratioOf(name, against, 'cpuUs'),
    }),
  };
}

/** Median time of one call after the other, in milliseconds. */
export async function latencyMs(call: () => Promise<unknown>, count: number): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const begin = performance.now();
    await call();
    times.push(performance.now() - begin);
  }
  return percentile(times, 0.5);
}
