import { CircuitBreaker } from '../circuit-breaker.ts';
import type { Outcome, Permit } from '../gate.ts';
import type { Isolation } from '../isolation.ts';
import type { CircuitTuning } from '../options.ts';
import { NaiveCircuit, type Law, type NaiveCall } from './naive-circuit.ts';

/** Wall clock of a restart. */
const savedAt = 1_800_000_000_000;

/** What can happen to a circuit. */
export type Step =
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'acquire' }
  | { readonly do: 'settle'; readonly which: number; readonly outcome: Outcome; readonly waitMs?: number }
  | { readonly do: 'hold' }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'reset' }
  | { readonly do: 'forbid'; readonly mayOpen: boolean }
  | { readonly do: 'reconfigure'; readonly law: Partial<Law> }
  | { readonly do: 'restart'; readonly wallMs: number };

const tuningOf = (law: Partial<Law>): CircuitTuning => {
  const { twin, breakMs, ...rest } = law;
  return {
    ...rest,
    ...(twin !== undefined && { tripWhen: twin.rule }),
    ...(breakMs !== undefined && { resetTimeoutInMilliseconds: breakMs }),
  };
};

interface Call {
  readonly permit: Permit;
  readonly naive: NaiveCall;
}

/** A breaker and the naive circuit, to which the same things happen. */
export class Twins {
  readonly breaker: CircuitBreaker;
  readonly naive: NaiveCircuit;
  readonly calls: Call[] = [];
  readonly #holds: Isolation[] = [];
  #law: Law;

  constructor(law: Law) {
    this.#law = law;
    this.naive = new NaiveCircuit(law);
    this.breaker = new CircuitBreaker({
      ...tuningOf(law),
      name: 'naive',
      mayOpen: () => this.naive.mayOpen,
      clock: { now: () => this.naive.now },
    });
  }

  take(step: Step): void {
    switch (step.do) {
      case 'pass':
        this.naive.pass(step.ms);
        return;
      case 'acquire':
        this.acquire();
        return;
      case 'settle':
        this.#settle(step);
        return;
      case 'hold':
        this.#holds.push(this.breaker.isolate());
        this.naive.hold(1);
        return;
      case 'release':
        this.#release(step.which);
        return;
      case 'reset':
        this.breaker.reset();
        this.naive.reset();
        return;
      case 'forbid':
        this.naive.mayOpen = step.mayOpen;
        return;
      case 'reconfigure':
        this.#reconfigure(step.law);
        return;
      case 'restart':
        this.breaker.restore(this.breaker.save(savedAt), savedAt + step.wallMs);
        this.naive.restart(step.wallMs);
        return;
      default:
        step satisfies never;
    }
  }

  /** @throws Error when only one of them lets the call through. */
  acquire(): Call | undefined {
    const [permit, naive] = [this.breaker.tryAcquire(), this.naive.acquire()];
    if (permit === undefined || naive === undefined) {
      if (permit === naive) return undefined;
      throw new Error(`${permit === undefined ? 'the breaker' : 'the naive circuit'} refused`);
    }
    const call = { permit, naive };
    this.calls.push(call);
    return call;
  }

  settle({ permit, naive }: Call, outcome: Outcome, error?: unknown): void {
    permit.settle(outcome, error);
    this.naive.settle(naive, outcome, error);
  }

  /** Everything that can be seen of the breaker; reading it changes nothing. */
  look(): ReturnType<NaiveCircuit['look']> {
    const { breaker } = this;
    const { available, state, retryAfterMs } = breaker;
    return { ...breaker.getSnapshot(), available, state, retryAfterMs };
  }

  /** From the newest backwards: a settle mostly meets a call that is still under way. */
  #settle({ which, outcome, waitMs }: Step & { readonly do: 'settle' }): void {
    const call = this.calls.at(-1 - (which % Math.max(1, this.calls.length)));
    const error = waitMs === undefined ? undefined : { retryAfterMs: waitMs };
    if (call !== undefined) this.settle(call, outcome, error);
  }

  #release(which: number): void {
    const hold = this.#holds[which];
    if (hold === undefined) return;
    this.#holds.splice(which, 1);
    hold.release();
    hold.release();
    this.naive.hold(-1);
  }

  #reconfigure(changes: Partial<Law>): void {
    const law = { ...this.#law, ...changes };
    if (law.trials < law.successThreshold) return;
    this.#law = law;
    this.breaker.reconfigure(tuningOf(changes));
    this.naive.reconfigure(law);
  }
}
