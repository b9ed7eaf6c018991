import type { Permit } from '@mesh/circuit-breaker';
import type { VirtualTime } from '../test-kit/virtual-time.ts';
import type { Random } from '../time.ts';

/** A server: so many workers, each call takes so long on average; the rest queues at the server. */
export interface ServerOptions {
  workers: number;
  serviceMs: number;
  /** Callers give up after so long. */
  timeoutMs?: number;
  /** How much slower it gets for each doubling of its load above its workers. */
  thrash?: number;
}

/** What the simulation saw, second by second. */
export interface Course {
  readonly limits: readonly number[];
  readonly throughputs: readonly number[];
}

/** Sends calls at random moments, so many a second, through a limit to a server in virtual time. */
export class SimulatedServer {
  readonly options: ServerOptions;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #limit: { readonly limit: number; readonly active: number; tryAcquire(): Permit | undefined };
  readonly #freeAt: number[] = [];
  #done = 0;
  #next: unknown;

  constructor(
    options: ServerOptions,
    limit: { readonly limit: number; readonly active: number; tryAcquire(): Permit | undefined },
    time: VirtualTime,
    random: Random,
  ) {
    this.options = { ...options };
    this.#limit = limit;
    this.#time = time;
    this.#random = random;
  }

  run(seconds: number, callsPerSecond: number): Course {
    const course = { limits: [] as number[], throughputs: [] as number[] };
    const arrive = (): void => {
      const permit = this.#limit.tryAcquire();
      if (permit !== undefined) this.#serve(permit);
      this.#next = this.#time.set(arrive, (this.#exponential() * 1000) / callsPerSecond);
    };
    arrive();
    for (let second = 0; second < seconds; second++) {
      this.#done = 0;
      this.#time.advanceSync(1000);
      course.limits.push(this.#limit.limit);
      course.throughputs.push(this.#done);
    }
    this.#time.clear(this.#next);
    return course;
  }

  #serve(permit: Permit): void {
    const { workers, timeoutMs = Infinity } = this.options;
    const now = this.#time.now();
    const worker = this.#firstFree(workers);
    const startsAt = Math.max(now, this.#freeAt[worker] ?? 0);
    const endsAt = startsAt + this.#serviceMs();
    // Nobody works for a caller that has given up in the queue.
    if (startsAt - now < timeoutMs) this.#freeAt[worker] = endsAt;
    const late = endsAt - now > timeoutMs;
    this.#time.set(
      () => {
        if (!late) this.#done++;
        permit.settle(late ? 'failure' : 'success');
      },
      late ? timeoutMs : endsAt - now,
    );
  }

  #firstFree(workers: number): number {
    let first = 0;
    for (let worker = 0; worker < workers; worker++)
      if ((this.#freeAt[worker] ?? 0) < (this.#freeAt[first] ?? 0)) first = worker;
    return first;
  }

  #serviceMs(): number {
    const { workers, serviceMs, thrash = 0 } = this.options;
    const over = Math.max(0, this.#limit.active / workers - 1);
    return serviceMs * (0.5 + this.#exponential() * 0.5) * (1 + over * thrash);
  }

  #exponential(): number {
    return -Math.log(1 - this.#random());
  }
}
