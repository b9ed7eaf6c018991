/** Bound once, as the look-up of a global is slow in the context of a test. */
const never = Infinity;

/** What is still to happen, the earliest first: a binary heap. Equal times come out in any fixed order. */
export class EventHeap<T> {
  readonly #times: number[] = [];
  readonly #events: T[] = [];

  /** When the next event happens, Infinity when none will. */
  get nextMs(): number {
    return this.#times[0] ?? never;
  }

  push(timeMs: number, event: T): void {
    const [times, events] = [this.#times, this.#events];
    let at = times.length;
    times.push(timeMs);
    events.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const aboveMs = times[above] as number;
      if (aboveMs <= timeMs) break;
      times[at] = aboveMs;
      events[at] = events[above] as T;
      at = above;
    }
    times[at] = timeMs;
    events[at] = event;
  }

  /** Takes the earliest event out; undefined when there is none. */
  pop(): T | undefined {
    const first = this.#events[0];
    const timeMs = this.#times.pop();
    const event = this.#events.pop();
    if (timeMs !== undefined && this.#times.length > 0) this.#sink(timeMs, event as T);
    return first;
  }

  #sink(timeMs: number, event: T): void {
    const [times, events] = [this.#times, this.#events];
    const { length } = times;
    let at = 0;
    for (let below = 1; below < length; below = 2 * at + 1) {
      if (below + 1 < length && (times[below + 1] as number) < (times[below] as number)) below++;
      const belowMs = times[below] as number;
      if (belowMs >= timeMs) break;
      times[at] = belowMs;
      events[at] = events[below] as T;
      at = below;
    }
    times[at] = timeMs;
    events[at] = event;
  }
}
