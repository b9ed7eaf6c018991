/**
 * Times contenders on the same work: rounds alternate, the median of the rounds counts, and goals are
 * ratios inside one run, so a slow or shared machine changes the figures but seldom the verdict.
 */
export interface Contender {
  readonly name: string;
  /** Does the work `iterations` times. */
  run(iterations: number): void | Promise<void>;
}

export interface Goal {
  readonly of: string;
  readonly against: string;
  /** Highest allowed ratio of the two medians. */
  readonly atMost: number;
}

export interface ContestOptions {
  readonly rounds?: number;
  /** Length of one timed batch in milliseconds; the iteration count is calibrated to it. */
  readonly batchMs?: number;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

async function time(contender: Contender, iterations: number): Promise<number> {
  const start = performance.now();
  await contender.run(iterations);
  return ((performance.now() - start) * 1e6) / iterations;
}

async function calibrate(contender: Contender, batchMs: number): Promise<number> {
  for (let iterations = 100; ; iterations *= 4) {
    const ns = await time(contender, iterations);
    if (ns * iterations > batchMs * 2.5e5) return Math.max(1, Math.round((batchMs * 1e6) / ns));
  }
}

/** Runs the contest, prints the table and the goals, and fails the process when a goal is missed. */
export async function contest(
  title: string,
  contenders: readonly Contender[],
  goals: readonly Goal[] = [],
  { rounds = 15, batchMs = 40 }: ContestOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const iterations = new Map<Contender, number>();
  for (const contender of contenders) iterations.set(contender, await calibrate(contender, batchMs));
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of round % 2 ? [...contenders].reverse() : contenders) {
      globalThis.gc?.();
      samples.get(contender.name)?.push(await time(contender, iterations.get(contender) ?? 1));
    }
  }
  const medians = new Map([...samples].map(([name, values]) => [name, median(values)]));
  const base = medians.get(contenders[0]?.name ?? '') ?? NaN;
  console.log(`\n${title}`);
  for (const [name, ns] of medians) {
    console.log(
      `  ${name.padEnd(44)} ${ns.toFixed(1).padStart(10)} ns   ${(ns / base).toFixed(2).padStart(7)}x`,
    );
  }
  for (const { of, against, atMost } of goals) {
    const ratio = (medians.get(of) ?? NaN) / (medians.get(against) ?? NaN);
    const met = ratio <= atMost;
    console.log(
      `  ${met ? 'met   ' : 'MISSED'} ${of} / ${against}: ${ratio.toFixed(2)}x (goal <= ${atMost}x)`,
    );
    if (!met) process.exitCode = 1;
  }
  return medians;
}
