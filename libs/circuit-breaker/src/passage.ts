import type { Circuit } from './circuit.ts';
import type { Outcome } from './gate.ts';
import type { CallResult } from './options.ts';

/** Judges the end of a call; undefined when a resolved call is a success and a rejected one a failure. */
export type Judge = ((result: CallResult) => Outcome) | undefined;

/** What becomes of calls that pass a closed circuit: made once for each generation, so that a call costs no closure. */
export class Passage {
  readonly generation: number;
  readonly resolved: <T>(value: T) => T;
  readonly rejected: (error: unknown) => never;

  constructor(circuit: Circuit, judge: Judge) {
    const { generation } = circuit;
    this.generation = generation;
    // Looked at here, not at each call: most circuits have none, and asking would double what a failure costs.
    this.resolved =
      judge === undefined
        ? (value) => {
            circuit.settleCall(generation, 0, 'success', undefined);
            return value;
          }
        : (value) => {
            circuit.settleCall(generation, 0, judge({ ok: true, value }), value);
            return value;
          };
    this.rejected = (error) => {
      circuit.settleCall(generation, 0, judge === undefined ? 'failure' : judge({ ok: false, error }), error);
      throw error;
    };
  }
}
