/** What is wrong in a made-up series; `calm`: nothing. */
export type AnomalyKind = 'spike' | 'shift' | 'drift' | 'season' | 'variance' | 'calm';

/** A made-up series of which it is known where something is wrong. */
export interface LabelledSeries {
  readonly kind: AnomalyKind;
  readonly values: Float64Array;
  readonly stepMs: number;
  readonly startAt: number;
  /** First and last index of each anomaly. */
  readonly labels: readonly (readonly [from: number, to: number])[];
}

const stepMs = 10_000;
const day = 8640;
/** A Monday, so that weekends come when they should. */
const startAt = Date.UTC(2024, 0, 1);
const base = 100;
const sigma = 5;

/** Uniform numbers by mulberry32: the same for the same seed everywhere. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * A series at 10 s samples: normal scatter of 5 around 100, a daily wave of 2 (`season`, `calm`: 4, half of it on weekends) times the scatter, and
 * after a calm start (a day; `season`: a fortnight) about four anomalies a day with at least two calm hours between them:
 *
 * - `spike`: 3 to 8 values, 8 to 14 times the scatter away;
 * - `shift`: 30 to 60 min, 4 to 8 times;
 * - `drift`: within 60 to 120 min to 6 to 10 times, and as fast back;
 * - `season`: 45 to 90 min at which the wave has the wrong sign, where that makes at least 4 times;
 * - `variance`: 20 to 40 min with 4 to 5 times the scatter.
 */
export function labelledSeries(kind: AnomalyKind, seed: number): LabelledSeries {
  const random = dice(seed * 7919 + kind.length);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const between = (low: number, high: number): number => low + (high - low) * random();
  const seasonal = kind === 'season' || kind === 'calm';
  const calmStart = kind === 'season' ? 14 * day : day;
  const length = kind === 'calm' ? 30 * day : calmStart + 5 * day;
  const values = new Float64Array(length);
  const wave = (index: number): number => {
    const weekend = Math.floor(index / day) % 7 >= 5;
    return (seasonal ? (weekend ? 2 : 4) : 2) * sigma * Math.sin((2 * Math.PI * index) / day);
  };
  for (let index = 0; index < length; index++) values[index] = base + wave(index) + sigma * normal();
  const labels: [number, number][] = [];
  const addTo = (index: number, change: number): void => {
    values[index] = (values[index] ?? 0) + change;
  };
  const spoil = (from: number): number => {
    const sign = random() < 0.5 ? -1 : 1;
    if (kind === 'spike') {
      const size = Math.round(between(3, 8));
      for (let index = from; index < from + size; index++) addTo(index, sign * sigma * between(8, 14));
      return size;
    }
    if (kind === 'shift') {
      const size = Math.round(between(180, 360));
      const change = sign * sigma * between(4, 8);
      for (let index = from; index < from + size; index++) addTo(index, change);
      return size;
    }
    if (kind === 'drift') {
      const half = Math.round(between(360, 720));
      const change = sign * sigma * between(6, 10);
      for (let index = 0; index < 2 * half; index++)
        addTo(from + index, change * (1 - Math.abs(index / half - 1)));
      return 2 * half;
    }
    if (kind === 'variance') {
      const size = Math.round(between(120, 240));
      const times = between(4, 5);
      for (let index = from; index < from + size; index++) {
        const usual = base + wave(index);
        values[index] = usual + times * ((values[index] ?? 0) - usual);
      }
      return size;
    }
    const size = Math.round(between(270, 540));
    for (let index = from; index < from + size; index++) addTo(index, -2 * wave(index));
    return size;
  };
  if (kind === 'calm') return { kind, values, stepMs, startAt, labels };
  for (let from = calmStart; from < length - day / 4;) {
    const fits =
      kind !== 'season' || (Math.abs(wave(from)) > 2 * sigma && Math.abs(wave(from + 540)) > 2 * sigma);
    if (fits) {
      const size = spoil(from);
      labels.push([from, from + size - 1]);
      from += size + Math.round(between(720, 2880));
    } else from += 90;
  }
  return { kind, values, stepMs, startAt, labels };
}
