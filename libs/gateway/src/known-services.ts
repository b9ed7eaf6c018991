import { HttpProblem } from '@mesh/problem';
import { failureCode, upstreamProblem } from './upstream-failure.ts';

/** More names than a registry holds; a bound all the same. */
const maxNames = 10_000;

/**
 * Names that callers chose and that turned out to be services. A registry forgets a service with its last instance, so only
 * this tells a service that is away for a while (503) from a name that never was one (404).
 */
export class KnownServices {
  readonly #names: Set<string>;

  /** @param configured names that are services whatever happens. */
  constructor(configured: Iterable<string> = []) {
    this.#names = new Set(configured);
  }

  /** Notes that an instance of the service has answered. */
  add(service: string): void {
    if (this.#names.size < maxNames) this.#names.add(service);
  }

  /** The problem for a failed call of a service whose name came from the caller. */
  explain(service: string, error: unknown): HttpProblem {
    if (failureCode(error) === 'ERR_NO_INSTANCE' && !this.#names.has(service)) {
      return new HttpProblem('ERR_SERVICE_UNKNOWN', `No service ${service} is registered.`, { cause: error });
    }
    return upstreamProblem(service, error);
  }
}
