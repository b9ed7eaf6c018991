import { count, ratio } from './check.ts';
import { CircuitBreaker, type ExecuteOptions } from './circuit-breaker.ts';
import type { CircuitEventName, CircuitEvents } from './events.ts';
import type { Isolation } from './isolation.ts';
import type { CircuitBreakerOptions, CircuitTuning } from './options.ts';
import { changeTuning } from './settings.ts';
import type { CircuitSnapshot } from './snapshot.ts';
import type { CallContext } from './start.ts';
import { disguise, methodOf, type MethodDecorator, type WrapOptions } from './wrap.ts';

/** Options of {@link CircuitBreakers}: those of each circuit, and these. */
export interface CircuitBreakersOptions extends Omit<CircuitBreakerOptions, 'mayOpen'> {
  /** Most circuits kept at a time; the one used longest ago is forgotten, a closed one before others. An integer >= 1, default 1 000. */
  readonly maximumKeys?: number;
  /** The part of the circuits that may open by themselves, 0..1, but always one: when nearly everything fails, the fault is on this side. Default 1. */
  readonly maximumOpenRatio?: number;
}

/** Something that follows every circuit, present and to come. */
interface Follower {
  readonly begin: (breaker: CircuitBreaker) => () => void;
  readonly ends: Map<string, () => void>;
}

/**
 * One circuit breaker for each key (a host, an instance, a tenant), made when it is first asked for.
 *
 * @throws RangeError when an option is out of its range.
 * @example
 * const hosts = new CircuitBreakers({ name: 'hosts', maximumOpenRatio: 0.5 });
 * await hosts.get(url.host).execute(({ signal }) => fetch(url, { signal }), { signal });
 */
export class CircuitBreakers {
  readonly #options: CircuitBreakersOptions;
  readonly #maximumKeys: number;
  readonly #maximumOpenRatio: number;
  /** The one used longest ago is the first. */
  readonly #breakers = new Map<string, CircuitBreaker>();
  readonly #followers = new Set<Follower>();
  #tuning: CircuitTuning = {};
  #snapshot: readonly CircuitSnapshot[] = [];

  constructor(options: CircuitBreakersOptions = {}) {
    const { maximumKeys = 1_000, maximumOpenRatio = 1, ...each } = options;
    this.#maximumKeys = count('maximumKeys', maximumKeys);
    this.#maximumOpenRatio = ratio('maximumOpenRatio', maximumOpenRatio);
    this.#options = each;
    // What a circuit would refuse is refused now, not at the first call.
    new CircuitBreaker(each);
  }

  /** Circuits that are known now. */
  get size(): number {
    return this.#breakers.size;
  }

  /** The circuit of a key, named `name/key`. */
  get(key: string): CircuitBreaker {
    const known = this.#breakers.get(key);
    if (known !== undefined) this.#breakers.delete(key);
    const breaker = known ?? this.#make(key);
    this.#breakers.set(key, breaker);
    return breaker;
  }

  /** Whether the key has a circuit; asking makes none. */
  has(key: string): boolean {
    return this.#breakers.has(key);
  }

  /** Forgets the circuit of a key; calls under way end as they will. */
  delete(key: string): boolean {
    for (const { ends } of this.#followers) {
      ends.get(key)?.();
      ends.delete(key);
    }
    return this.#breakers.delete(key);
  }

  /** `get(key).execute(fn, options)`. */
  execute<T, F = never>(
    key: string,
    fn: (context: CallContext) => T | PromiseLike<T>,
    options?: ExecuteOptions<F>,
  ): Promise<Awaited<T> | Awaited<F>> {
    return this.get(key).execute(fn, options);
  }

  /** Protects a method with the circuit of a key that its arguments tell: a standard decorator, as `CircuitBreaker.protect`. */
  protect<KeyArgs extends unknown[], F = never>({
    key,
    ...options
  }: WrapOptions<never[], F> & { readonly key: (...args: KeyArgs) => string }): MethodDecorator<F, KeyArgs> {
    return <This, Args extends [...KeyArgs, ...unknown[]], T>(
      method: (this: This, ...args: Args) => Promise<T>,
      context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<T>>,
    ) => {
      const each = methodOf(method, context);
      const wrapped = options as unknown as WrapOptions<Args, F>;
      // It may name fewer parameters than the method has.
      const keyOf = key as unknown as (...args: Args) => string;
      const find = (args: Args): CircuitBreaker => this.get(keyOf(...args));
      return disguise(async function (this: This, ...args: Args): Promise<Awaited<T> | Awaited<F>> {
        return find(args).wrap<This, Args, T, F>(each, wrapped).apply(this, args);
      }, method);
    };
  }

  /** Listens to one kind of event of every circuit, present and to come. @returns the way to stop. */
  on<K extends CircuitEventName>(type: K, listener: (event: CircuitEvents[K]) => unknown): () => void {
    return this.#follow((breaker) => breaker.on(type, listener));
  }

  /** A snapshot of every circuit; the same array as long as nothing changed. */
  getSnapshot(): readonly CircuitSnapshot[] {
    const next = [...this.#breakers.values()].map((breaker) => breaker.getSnapshot());
    const last = this.#snapshot;
    const same = next.length === last.length && next.every((snapshot, at) => snapshot === last[at]);
    if (!same) this.#snapshot = Object.freeze(next);
    return this.#snapshot;
  }

  /** Calls `listener` after every change that a call made to one of the circuits. @returns the way to stop. */
  subscribe(listener: () => void): () => void {
    return this.#follow((breaker) => breaker.subscribe(listener));
  }

  /** Holds all circuits open, present and to come, until it is released. */
  isolate(): Isolation {
    const release = this.#follow((breaker) => {
      const hold = breaker.isolate();
      return () => {
        hold.release();
      };
    });
    return { release, [Symbol.dispose]: release };
  }

  /** Closes all circuits and forgets their failures. */
  reset(): void {
    for (const breaker of this.#breakers.values()) breaker.reset();
  }

  /** Changes options of all circuits, present and to come. @throws RangeError when an option is out of its range; then nothing has changed. */
  reconfigure(changes: CircuitTuning): void {
    const tuning = changeTuning(this.#tuning, changes);
    new CircuitBreaker(this.#options).reconfigure(tuning);
    this.#tuning = tuning;
    for (const breaker of this.#breakers.values()) breaker.reconfigure(changes);
  }

  #make(key: string): CircuitBreaker {
    if (this.#breakers.size >= this.#maximumKeys) this.#forgetOne();
    const { name = 'circuit' } = this.#options;
    const mayOpen = this.#maximumOpenRatio < 1 ? { mayOpen: () => this.#mayOpen() } : {};
    const breaker = new CircuitBreaker({ ...this.#options, ...mayOpen, name: `${name}/${key}` });
    breaker.reconfigure(this.#tuning);
    for (const { begin, ends } of this.#followers) ends.set(key, begin(breaker));
    return breaker;
  }

  #forgetOne(): void {
    let oldest: string | undefined;
    for (const [key, { state }] of this.#breakers) {
      oldest ??= key;
      if (state !== 'closed') continue;
      oldest = key;
      break;
    }
    if (oldest !== undefined) this.delete(oldest);
  }

  #mayOpen(): boolean {
    let open = 0;
    for (const { state } of this.#breakers.values()) if (state !== 'closed') open++;
    return open === 0 || open + 1 <= this.#maximumOpenRatio * this.#breakers.size;
  }

  #follow(begin: Follower['begin']): () => void {
    const ends = new Map(Array.from(this.#breakers, ([key, breaker]) => [key, begin(breaker)]));
    const follower: Follower = { begin, ends };
    this.#followers.add(follower);
    return () => {
      this.#followers.delete(follower);
      for (const end of ends.values()) end();
      ends.clear();
    };
  }
}
