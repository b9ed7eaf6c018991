/** Contenders under the same load, in alternating rounds; of each the median counts. */
import type { Contender } from './contender.ts';
import { load, type Load, type Loaded } from './load.ts';

export interface Round extends Loaded {
  /** User and system time of the proxy for one request, in microseconds. */
  readonly cpuUs: number;
  /** CPU time for one MiB of answers, in milliseconds. */
  readonly cpuMsPerMiB: number;
  /** Share of one core that the proxy used. */
  readonly coreRatio: number;
  readonly requestsPerSecond: number;
  readonly rssMB: number;
}

/** The median of each figure over the rounds, and the smallest CPU time. */
export interface Score extends Round {
  readonly quietUs: number;
}

export type Scores = ReadonlyMap<string, Score>;

export interface Contest extends Omit<Load, 'url' | 'connections'> {
  readonly url: (contender: Contender) => string;
  readonly connections?: number;
  readonly rounds: number;
}

export async function contest(contenders: readonly Contender[], wanted: Contest): Promise<Scores> {
  const { url, rounds, connections = 64, seconds, body } = wanted;
  const one = (contender: Contender, time: number): Promise<Round> =>
    measure(contender, {
      url: url(contender),
      connections,
      seconds: time,
      ...(body !== undefined && { body }),
    });
  for (const contender of contenders) await warmUp(() => one(contender, 1));
  const played = new Map<string, Round[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of round % 2 ? contenders.toReversed() : contenders) {
      // What counts is a proxy at work, not one that has just been woken: while it is idle V8 lets its memory and its code go.
      await one(contender, 1);
      played.get(contender.name)?.push(await one(contender, seconds));
    }
  }
  return new Map([...played].map(([name, all]) => [name, score(all)]));
}

/** Compiled code is what is compared, and the compiler is done with the last of it after some tens of thousands of requests. */
async function warmUp(second: () => Promise<Round>): Promise<void> {
  for (let requests = 0, seconds = 0; requests < 150_000 && seconds < 12; seconds++) {
    requests += (await second()).requests;
  }
}

async function measure(contender: Contender, wanted: Load): Promise<Round> {
  const before = await contender.usage();
  const loaded = await load(wanted);
  const after = await contender.usage();
  const cpuUs = after.cpuUs - before.cpuUs;
  return {
    ...loaded,
    cpuUs: cpuUs / loaded.requests,
    cpuMsPerMiB: cpuUs / 1_000 / (loaded.bytes / 2 ** 20),
    coreRatio: cpuUs / 1e6 / wanted.seconds,
    requestsPerSecond: loaded.requests / wanted.seconds,
    rssMB: after.rssBytes / 1e6,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}

function score(rounds: readonly Round[]): Score {
  const [first] = rounds;
  if (first === undefined) throw new RangeError('a contest takes at least one round');
  const names = Object.keys(first) as (keyof Round)[];
  const medians = names.map((name) => [name, median(rounds.map((round) => round[name]))]);
  return {
    ...(Object.fromEntries(medians) as Record<keyof Round, number>),
    failed: rounds.reduce((sum, { failed }) => sum + failed, 0),
    quietUs: Math.min(...rounds.map(({ cpuUs }) => cpuUs)),
  };
}
