/** Something that can be picked. Extra fields are welcome: a lease gives back the very object of `update()`. */
export interface Endpoint {
  /** Names the endpoint for ever: its load and its response time are kept under this id over updates. */
  readonly id: string;
  /** Share of the traffic relative to the others, 0 to 1 000 000; default 1. With 0 it is picked only when no other candidate is left. */
  readonly weight?: number;
  /** Read at every pick, so a getter is welcome; default true. */
  readonly available?: boolean;
  /** Lower goes first: the next level gets what the healthy ones of this level cannot carry. Whole number, default 0. */
  readonly priority?: number;
  /** Where it runs, for zone-aware routing and filters. */
  readonly zone?: string;
  /** What it runs, for filters: `2.1.0`. */
  readonly version?: string;
  /** Anything else that filters look at. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

const greatestWeight = 1_000_000;

/** The weight of an endpoint, 1 when it names none. @throws RangeError when it is no weight. */
export function weightOf({ id, weight = 1 }: Endpoint): number {
  if (weight >= 0 && weight <= greatestWeight) return weight;
  throw new RangeError(
    `loadBalancer: weight must be a number from 0 to ${greatestWeight}, got ${weight} (endpoint ${JSON.stringify(id)})`,
  );
}

/** The priority of an endpoint, 0 when it names none. @throws RangeError when it is no whole number from 0. */
export function priorityOf({ id, priority = 0 }: Endpoint): number {
  if (Number.isSafeInteger(priority) && priority >= 0) return priority;
  throw new RangeError(
    `loadBalancer: priority must be a whole number from 0, got ${priority} (endpoint ${JSON.stringify(id)})`,
  );
}
