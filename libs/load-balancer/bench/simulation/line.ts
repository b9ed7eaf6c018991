/** First in, first out, without moving what is in it at every step. */
export class Line<T> {
  #items: T[] = [];
  #at = 0;

  get first(): T | undefined {
    return this.#items[this.#at];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    if (++this.#at > 1_024 && this.#at * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    return first;
  }
}
