import { AnomalyDetector, type AnomalyView } from './anomaly.ts';

/** The detectors judge one value for so long, whatever the traffic. */
const slotMs = 10_000;
/** In logarithms: less scatter than 5 % is never assumed. */
const minimumScale = 0.05;

/** Whether the response times of a target are what they usually are: the logarithm of the mean of every ten seconds, judged by {@link AnomalyDetector}. */
export class Pace {
  readonly #detector = new AnomalyDetector({ minimumScale });
  #slot = 0;
  #sum = 0;
  #count = 0;

  get anomaly(): AnomalyView {
    return this.#detector.view;
  }

  get bytes(): number {
    return this.#detector.bytes;
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
      this.#detector.push(Math.log(mean), this.#slot * slotMs);
    }
    this.#slot = next;
    this.#sum = this.#count = 0;
  }
}
