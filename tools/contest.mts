/**
 * Times contenders on the same work: rounds alternate, and goals are ratios inside one run, so a slow or shared machine changes
 * the figures but seldom the verdict. Printed are the median of the rounds and the quietest round; a goal is judged by the median, or by
 * the quiet figures where it was set so (nothing but disturbance makes a round slower than the quietest one).
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
  /** By which figures goals are judged (default `median`). */
  readonly judgedBy?: 'median' | 'quiet';
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
  { rounds = 15, batchMs = 40, judgedBy = 'median' }: ContestOptions = {},
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
  const quiet = new Map([...samples].map(([name, values]) => [name, Math.min(...values)]));
  const ratio = (figures: ReadonlyMap<string, number>, of: string, against: string): number =>
    (figures.get(of) ?? NaN) / (figures.get(against) ?? NaN);
  const base = contenders[0]?.name ?? '';
  console.log(`\n${title}\n  ${'median'.padStart(57)} ${'quiet'.padStart(23)}`);
  for (const name of medians.keys()) {
    const columns = [medians, quiet].map((figures) => {
      const times = ratio(figures, name, base).toFixed(2);
      return `${figures.get(name)?.toFixed(1).padStart(10)} ns ${times.padStart(8)}x`;
    });
    console.log(`  ${name.padEnd(44)} ${columns.join(' ')}`);
  }
  for (const { of, against, atMost } of goals) {
    const found = ratio(judgedBy === 'quiet' ? quiet : medians, of, against);
    const met = found <= atMost;
    console.log(
      `  ${met ? 'met   ' : 'MISSED'} ${of} / ${against}: ${found.toFixed(2)}x (goal <= ${atMost}x)`,
    );
    if (!met) process.exitCode = 1;
  }
  return medians;
}

/** Prints one measured number, and fails the process when it is above its goal. */
export function figure(name: string, value: number, atMost?: number): void {
  const goal = atMost === undefined ? '' : `(goal <= ${atMost})`;
  const verdict = atMost === undefined ? '' : value <= atMost ? 'met' : 'MISSED';
  console.log(`  ${verdict.padEnd(7)}${name.padEnd(60)} ${value.toFixed(2).padStart(10)} ${goal}`);
  if (verdict === 'MISSED') process.exitCode = 1;
}
