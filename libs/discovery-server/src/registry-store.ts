import type { Registry } from './registry.ts';

/**
 * Where a registry keeps what must outlive it. The registry itself is always in memory and answers from there; a store fills it
 * when it starts and follows it from then on. No store: nothing is kept.
 */
export interface RegistryStore {
  /** Whether what changes now is kept now. */
  readonly isConnected: boolean;
  /** Fills the registry, and follows it until {@link RegistryStore.close}. Never rejects for what is wrong with the store. */
  attach(registry: Registry): Promise<void>;
  /** Keeps what is not kept yet, and lets go. */
  close(): Promise<void>;
}

/** Hears of what goes wrong with a store, and (undefined) that it goes well again. What it throws is dropped. */
export type StoreListener = (error: Error | undefined) => void;

/** Tells the listener of the first failure and of the first success after it. */
export class StoreHealth {
  readonly #listener: StoreListener | undefined;
  #isWell = true;

  constructor(listener: StoreListener | undefined) {
    this.#listener = listener;
  }

  get isWell(): boolean {
    return this.#isWell;
  }

  failed(error: unknown): void {
    const isNews = this.#isWell;
    this.#isWell = false;
    if (isNews) this.#tell(isError(error) ? error : new Error(String(error)));
  }

  succeeded(): void {
    const isNews = !this.#isWell;
    this.#isWell = true;
    if (isNews) this.#tell(undefined);
  }

  #tell(error: Error | undefined): void {
    try {
      this.#listener?.(error);
    } catch {
      // A broken observer must not keep anything from being stored.
    }
  }
}

/** Also of another realm, as those of the file system are under some test runners. */
function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'message' in value;
}
