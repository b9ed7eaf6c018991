import type { Override } from './instance-record.ts';
import { RegistryError } from './registry-error.ts';

const none: Override = Object.freeze({});

/**
 * What operators decided, by instance. It outlives registrations and instances: what was taken out comes back taken out.
 * Bounded, and never forgotten for want of room: the next decision is refused instead.
 */
export class Overrides {
  readonly #maximum: number;
  readonly #byInstance = new Map<string, Override>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  get size(): number {
    return this.#byInstance.size;
  }

  get(service: string, id: string): Override | undefined {
    // Most registries have none, and this is asked with every change.
    return this.#byInstance.size === 0 ? undefined : this.#byInstance.get(keyOf(service, id));
  }

  /**
   * Changes what is decided; null takes a part back.
   *
   * @returns what holds from now on.
   * @throws RegistryError `ERR_UNAVAILABLE` when there is no room for another instance.
   */
  set(service: string, id: string, change: OverrideChange): Override {
    const key = keyOf(service, id);
    const { status, weight } = { ...this.#byInstance.get(key), ...change };
    const override: Override = Object.freeze({ ...(status && { status }), ...(weight && { weight }) });
    if (Object.keys(override).length === 0) {
      this.#byInstance.delete(key);
      return none;
    }
    if (!this.#byInstance.has(key) && this.#byInstance.size >= this.#maximum) {
      throw new RegistryError('ERR_UNAVAILABLE', `there are ${this.#maximum} overrides already`, 60_000);
    }
    this.#byInstance.set(key, override);
    return override;
  }

  /** All of them, as they are stored. */
  *entries(): Generator<StoredOverride> {
    for (const [key, override] of this.#byInstance) {
      const at = key.lastIndexOf(' ');
      yield { service: key.slice(0, at), id: key.slice(at + 1), ...override };
    }
  }
}

/** A change of an {@link Override}. */
export interface OverrideChange {
  readonly status?: Override['status'] | null;
  readonly weight?: number | null;
}

/** An {@link Override} and whom it is about. */
export interface StoredOverride extends Override {
  readonly service: string;
  readonly id: string;
}

/** Neither services nor ids hold blanks. */
function keyOf(service: string, id: string): string {
  return `${service} ${id}`;
}
