import { type Gauge, twoChoicesContender } from './two-choices-balancer.ts';

class OpenRequests implements Gauge {
  #open = 0;

  load(): number {
    return this.#open;
  }

  started(): void {
    this.#open++;
  }

  ended(): void {
    this.#open--;
  }
}

/** Envoy and gRPC `least_request`: the better of two by open requests (Mitzenmacher 2001). */
export const leastRequests = twoChoicesContender('P2C least requests', () => new OpenRequests());
