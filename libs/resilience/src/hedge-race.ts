import { FailedAttempts } from './attempts.ts';
import type { Call, CallResult } from './call.ts';
import { discard } from './dispose.ts';
import type { Events } from './events.ts';
import type { HedgeEvents, HedgeSettings } from './hedge-options.ts';
import { judge, type Handle } from './judge.ts';
import type { LiveQuantile } from './live-quantile.ts';
import type { Next } from './policy.ts';
import { withoutStack } from './without-stack.ts';

const failure: Handle = (result) => !result.ok;

/** What the races of one layer have in common. */
export interface Track<T> {
  readonly next: Next<T>;
  readonly settings: HedgeSettings;
  readonly events: Events<HedgeEvents>;
  /** Learns the latencies of first attempts, when the delay depends on them. */
  readonly latencies: LiveQuantile | undefined;
}

/** One call as a race of its attempts: the first good answer wins, the others are aborted and what they still bring is disposed of. */
export class HedgeRace<T> {
  readonly #track: Track<T>;
  readonly #call: Call;
  readonly #delayMs: number;
  readonly #startedAt: number;
  readonly #running: Call[] = [];
  readonly #resolve: (value: T | Promise<T>) => void;
  #failed: FailedAttempts<T> | undefined;
  #first: Call | undefined;
  #attempts = 0;
  #timer: unknown;
  #over = false;

  constructor(track: Track<T>, call: Call, delayMs: number, resolve: (value: T | Promise<T>) => void) {
    this.#track = track;
    this.#call = call;
    this.#delayMs = delayMs;
    this.#resolve = resolve;
    this.#startedAt = track.latencies === undefined ? 0 : track.settings.clock.now();
  }

  run(): void {
    this.#start();
    this.#awaitNext();
  }

  #start(): void {
    const child = this.#call.child({ attempt: this.#call.attempt + this.#attempts });
    this.#attempts++;
    this.#first ??= child;
    this.#running.push(child);
    this.#track.next(child).then(
      (value) => {
        this.#settled(child, { ok: true, value });
      },
      (error: unknown) => {
        this.#settled(child, { ok: false, error });
      },
    );
  }

  /** The next attempt comes after another delay, if one is left. */
  #awaitNext(): void {
    const { maxExtra, timers } = this.#track.settings;
    while (this.#attempts <= maxExtra) {
      if (this.#delayMs > 0) {
        this.#timer = timers.set(() => {
          if (this.#hedge()) this.#awaitNext();
        }, this.#delayMs);
        return;
      }
      if (!this.#hedge()) return;
    }
  }

  /** @returns whether it is still wanted, and the budget allowed it. */
  #hedge(): boolean {
    const { settings, events } = this.#track;
    if (this.#call.aborted || settings.budget?.tryWithdraw() === false) return false;
    if (events.active) events.emit('hedge', { attempt: this.#attempts + 1, delayMs: this.#delayMs });
    this.#start();
    return true;
  }

  #settled(child: Call, result: CallResult<T>): void {
    child.end();
    if (this.#over) {
      this.#late(result);
      return;
    }
    this.#running.splice(this.#running.indexOf(child), 1);
    // The attempts heard of the abort by themselves: they are children of this call.
    if (this.#call.aborted) this.#abandon(result);
    else if (judge(this.#track.settings.handle, failure, result, this.#track.events)) this.#lost(result);
    else this.#won(child, result);
  }

  #abandon(result: CallResult): void {
    this.#finish();
    this.#failed?.release();
    this.#late(result);
    this.#resolve(rejected(this.#call.reason));
  }

  #won(child: Call, result: CallResult<T>): void {
    this.#finish();
    this.#failed?.release();
    this.#learn(child, result);
    for (const loser of this.#running) loser.abort(lostError());
    if (this.#attempts > 1 && this.#track.events.active) {
      this.#track.events.emit('won', { attempt: child.attempt - this.#call.attempt + 1 });
    }
    this.#resolve(result.ok ? result.value : rejected(result.error));
  }

  #lost(result: CallResult<T>): void {
    const failed = (this.#failed ??= new FailedAttempts(this.#track.settings.throws));
    failed.release();
    failed.add(result);
    // Hedging is against slowness: whoever fails early is not replaced, that is what a retry does.
    if (this.#running.length > 0) return;
    this.#finish();
    this.#resolve(answer(failed));
  }

  /** First attempts give one sample each; one that is beaten took at least until now, so that beating the slow ones does not shift the quantile. */
  #learn(winner: Call, result: CallResult): void {
    const { latencies, settings } = this.#track;
    const known = winner === this.#first ? result.ok : this.#first && this.#running.includes(this.#first);
    if (latencies !== undefined && known === true) latencies.record(settings.clock.now() - this.#startedAt);
  }

  #finish(): void {
    this.#over = true;
    this.#track.settings.timers.clear(this.#timer);
  }

  #late(result: CallResult): void {
    if (this.#track.events.active) this.#track.events.emit('late', { result });
    if (result.ok) discard(result.value);
  }
}

async function answer<T>(failed: FailedAttempts<T>): Promise<T> {
  return Promise.resolve(failed.answer());
}

function rejected(reason: unknown): Promise<never> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it was thrown
  return Promise.reject(reason);
}

function lostError(): Error {
  const error = withoutStack(() => new Error('another attempt has won'));
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}
