import type { Outcome } from '../gate.ts';
import type { CircuitState } from '../snapshot.ts';
import type { Law } from './naive-circuit.ts';
import { Twins } from './twins.ts';

/** One move of a schedule. */
export type Move =
  | { readonly do: 'begin' }
  | { readonly do: 'end'; readonly which: number; readonly outcome: Outcome }
  | { readonly do: 'wait'; readonly ms: number };

type Look = ReturnType<Twins['look']>;

const visible = ({
  state,
  available,
  retryAfterMs,
  failureCount,
  successCount,
  openedAt = -1,
  totals,
}: Look): string =>
  `${state} ${available} ${retryAfterMs} ${failureCount} ${successCount} ${openedAt} ${Object.values(totals).join()}`;

/** A schedule that is played on a breaker and on the naive circuit; what must always hold is checked at each move. */
export class Interleaving {
  transitions = 0;
  lateResults = 0;
  readonly #law: Law;
  readonly #twins: Twins;
  readonly #begun: (ReturnType<Twins['acquire']> | undefined)[] = [];
  readonly #played: Move[] = [];
  #state: CircuitState = 'closed';

  constructor(law: Law) {
    this.#law = law;
    this.#twins = new Twins(law);
  }

  make(move: Move): void {
    this.#played.push(move);
    if (move.do === 'wait') this.#twins.naive.pass(move.ms);
    else if (move.do === 'begin') this.#begun.push(this.#twins.acquire());
    else this.#end(this.#begun[move.which], move.outcome);
    const { state } = this.#twins.breaker;
    if (state !== this.#state) this.transitions++;
    this.#state = state;
  }

  /** Last of all: it lets time pass. @throws Error with the schedule when something does not hold after it. */
  check(): void {
    const [seen, expected] = [visible(this.#twins.look()), visible(this.#twins.naive.look())];
    this.#expect(seen === expected, `it is ${seen}, not ${expected}`);
    this.#expectNoSurplusTrials();
    this.#expectWayOut();
  }

  /** Schedules that lead to the same one go on alike. */
  get fingerprint(): string {
    const underWay = this.#begun.flatMap((call) => (call?.naive.settled === false ? [call.naive] : []));
    const waits = this.#played.filter((move) => move.do === 'wait').length;
    return [this.#begun.length, waits, this.transitions, this.#twins.naive.fingerprint(underWay)].join();
  }

  #end(call: ReturnType<Twins['acquire']>, outcome: Outcome): void {
    if (call === undefined) return;
    const { breaker, naive } = this.#twins;
    const isLate = call.naive.epoch !== naive.epoch;
    const before = breaker.getSnapshot();
    this.#twins.settle(call, outcome);
    const after = breaker.getSnapshot();
    if (isLate) {
      this.lateResults++;
      this.#expect(after === before, 'a late result changed something');
    }
    const { available } = breaker;
    call.permit.settle('failure');
    call.permit[Symbol.dispose]();
    const twice = breaker.getSnapshot() !== after || breaker.available !== available;
    this.#expect(!twice, 'a place was given back twice');
  }

  /** Of one half-open phase, trials under way and ended are never more than allowed. */
  #expectNoSurplusTrials(): void {
    const { epoch } = this.#twins.naive;
    const trials = this.#begun.filter((call) => call?.naive.trial === true && call.naive.epoch === epoch);
    const given = trials.filter((call) => call?.naive.settled === false).length;
    this.#expect(given <= this.#law.trials, 'too many trials are under way');
  }

  /** Whatever hangs, after break, lease and break a call passes: at the latest the one after that which finds the hung ones slow. */
  #expectWayOut(): void {
    const { breakMs, probeLeaseMs } = this.#law;
    const longestMs = 2 * Number(breakMs) + probeLeaseMs;
    const passes = (): boolean => {
      this.#twins.naive.pass(longestMs);
      return this.#twins.breaker.available && this.#twins.acquire() !== undefined;
    };
    this.#expect(passes() || passes(), 'it is stuck');
  }

  #expect(holds: boolean, complaint: string): void {
    if (!holds) throw new Error(`${complaint}, after ${JSON.stringify(this.#played)}`);
  }
}
