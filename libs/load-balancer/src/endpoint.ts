/** Something that can be picked. Extra fields are welcome: a lease gives back the very object of `update()`. */
export interface Endpoint {
  /** Names the endpoint for ever: its load and its response time are kept under this id over updates. */
  readonly id: string;
  /** Share of the traffic relative to the others, 0 to 1 000 000; default 1. With 0 it is picked only when no other candidate is left. */
  readonly weight?: number;
  /** Read at every pick, so a getter is welcome; default true. */
  readonly available?: boolean;
}

const greatestWeight = 1_000_000;

/** The weight of an endpoint, 1 when it names none. @throws RangeError when it is no weight. */
export function weightOf({ id, weight = 1 }: Endpoint): number {
  if (weight >= 0 && weight <= greatestWeight) return weight;
  throw new RangeError(
    `loadBalancer: weight must be a number from 0 to ${greatestWeight}, got ${weight} (endpoint ${JSON.stringify(id)})`,
  );
}
