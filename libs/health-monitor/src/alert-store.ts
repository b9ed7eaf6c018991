import type { SavedAlerts } from './alert-book.ts';

/** Keeps alerts over restarts. It is called by one monitor, one call at a time. */
export interface AlertStore {
  /** What was saved last; undefined when nothing was. */
  load(): unknown;
  /** Replaces all of it, at once or not at all. */
  save(alerts: SavedAlerts): unknown;
}

/** Keeps alerts as long as itself: for tests, and for monitors that may forget. */
export function memoryStore(): AlertStore {
  let kept: string | undefined;
  return {
    load: () => (kept === undefined ? undefined : (JSON.parse(kept) as unknown)),
    save: (alerts) => {
      kept = JSON.stringify(alerts);
    },
  };
}

/** @throws TypeError when it is nothing that a monitor has saved. */
export function readSavedAlerts(saved: unknown): SavedAlerts | undefined {
  if (saved === undefined || saved === null) return undefined;
  const { version, entries, notices } = saved as Partial<SavedAlerts>;
  if (version === 1 && Array.isArray(entries) && notices !== undefined) return saved as SavedAlerts;
  throw new TypeError(
    `healthMonitor: the store holds no alerts of version 1, but version ${String(version)}`,
  );
}
