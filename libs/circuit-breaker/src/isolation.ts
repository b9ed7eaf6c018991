import type { Circuit } from './circuit.ts';

/** Somebody's wish that no call passes, until it is released. */
export interface Isolation {
  /** Lets go; later calls do nothing. */
  release(): void;
  /** The same. */
  [Symbol.dispose](): void;
}

/** Holds the circuit open. */
export function isolation(circuit: Circuit): Isolation {
  circuit.hold(1);
  let held = true;
  const release = (): void => {
    if (held) circuit.hold(-1);
    held = false;
  };
  return { release, [Symbol.dispose]: release };
}
