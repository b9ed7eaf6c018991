import type { Timers } from '@mesh/discovery-client';
import { integerOption } from './options.ts';
import { platformTimers } from './platform-timers.ts';
import type { Registry } from './registry.ts';
import { StoreHealth } from './registry-store.ts';
import type { RegistryStore, StoreListener } from './registry-store.ts';
import { SnapshotError, SnapshotFile } from './snapshot-file.ts';
import type { SnapshotLine } from './snapshot-file.ts';
import { TimeSlice } from './time-slice.ts';

/** Options of a {@link DiskStore}. */
export interface DiskStoreOptions {
  /** Milliseconds from the first change to the snapshot that holds it. Default 1000. */
  readonly writeDelayMs?: number;
  /** A larger snapshot is neither written nor read. Default 256 MiB. */
  readonly maximumBytes?: number;
  /** Hears that the disk is full or the file is broken, and when that is over. The registry goes on. */
  readonly onTrouble?: StoreListener;
  readonly timers?: Timers;
}

/** Pause after a write that failed; doubled each time. */
const firstRetryMs = 2000;

const lastRetryMs = 60_000;

/**
 * Keeps a registry in a file, so that a restart loses nobody. Heartbeats are not kept: whoever is read back has a whole lease
 * to be heard again. Changes of a moment are one write; while nothing changes nothing is written.
 */
export class DiskStore implements RegistryStore {
  readonly #file: SnapshotFile;
  readonly #writeDelayMs: number;
  readonly #timers: Timers;
  readonly #health: StoreHealth;
  #registry: Registry | undefined;
  #unsubscribe: (() => void)[] = [];
  #timer: unknown;
  #isDue = false;
  #writing: Promise<void> | undefined;
  #retryMs = firstRetryMs;
  #isClosed = false;

  /** @throws RangeError naming an option that is out of range. */
  constructor(path: string, options: DiskStoreOptions = {}) {
    const { writeDelayMs = 1000, maximumBytes = 268_435_456, timers = platformTimers } = options;
    this.#writeDelayMs = integerOption('diskStore: writeDelayMs', writeDelayMs, 0, 3_600_000);
    this.#file = new SnapshotFile(
      path,
      integerOption('diskStore: maximumBytes', maximumBytes, 1024, 2 ** 31),
    );
    this.#timers = timers;
    this.#health = new StoreHealth(options.onTrouble);
  }

  get isConnected(): boolean {
    return this.#health.isWell;
  }

  async attach(registry: Registry): Promise<void> {
    this.#registry = registry;
    try {
      await this.#restore(registry);
    } catch (error) {
      this.#health.failed(error);
      if (error instanceof SnapshotError) await this.#file.putAside().catch(() => undefined);
    }
    const touch = (): void => {
      this.#touch();
    };
    this.#unsubscribe = [registry.subscribe(touch), registry.onOverride(touch)];
    // Of what was read just now nothing has to be written; of a file that could not be read, all.
    if (!this.#health.isWell) touch();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of this.#unsubscribe) end();
    this.#timers.clear(this.#timer);
    await this.#writing;
    if (this.#isDue) await this.#write();
  }

  async #restore(registry: Registry): Promise<void> {
    const slice = new TimeSlice();
    for await (const line of this.#file.read()) {
      if ('instance' in line) registry.adopt(line.instance);
      else {
        const { service, id, status = null, weight = null } = line.override;
        registry.override(service, id, { status, weight });
      }
      if (slice.isOver) await slice.pause();
    }
  }

  #touch(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    if (this.#writing === undefined) this.#schedule(this.#writeDelayMs);
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#timers.set(() => {
      this.#writing = this.#write().then(() => {
        this.#writing = undefined;
        if (this.#isDue) this.#schedule(this.#health.isWell ? this.#writeDelayMs : this.#retryMs);
      });
    }, delayMs);
  }

  async #write(): Promise<void> {
    if (this.#registry === undefined) return;
    // What changes from here on may not be in the file, so it is due again.
    this.#isDue = false;
    try {
      await this.#file.write(linesOf(this.#registry));
      this.#retryMs = firstRetryMs;
      this.#health.succeeded();
    } catch (error) {
      this.#isDue = true;
      this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
      this.#health.failed(error);
    }
  }
}

function* linesOf(registry: Registry): Generator<SnapshotLine> {
  for (const override of registry.overrides()) yield { override };
  for (const instance of registry.stored()) yield { instance };
}
