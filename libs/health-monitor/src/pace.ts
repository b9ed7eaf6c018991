import { AnomalyDetector, nothingUnusual, type AnomalyView } from './anomaly.ts';

/** The detectors judge one value for so long, whatever the traffic. */
const slotMs = 10_000;
/** In logarithms: less scatter than 5 % is never assumed. */
const minimumScale = 0.05;

/** Whether the response times of a target are what they usually are: the logarithm of the mean of every ten seconds, judged by {@link AnomalyDetector}. */
export class Pace {
  /** Made for the first ten seconds that had a sample. */
  #detector: AnomalyDetector | undefined;
  #slot = 0;
  #sum = 0;
  #count = 0;

  get anomaly(): AnomalyView {
    return this.#detector?.view ?? nothingUnusual;
  }

  get bytes(): number {
    return this.#detector?.bytes ?? 0;
  }

  add(now: number, latencyMs: number): void {
    const slot = Math.floor(now / slotMs);
    if (slot !== this.#slot) this.#close(slot);
    this.#sum += latencyMs;
    this.#count++;
  }

  #close(next: number): void {
    if (this.#count > 0) {
      const mean = Math.max(0.001, this.#sum / this.#count);
      this.#detector ??= new AnomalyDetector({ minimumScale });
      this.#detector.push(Math.log(mean), this.#slot * slotMs);
    }
    this.#slot = next;
    this.#sum = this.#count = 0;
  }
}
