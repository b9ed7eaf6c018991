import type { SimProcess } from './sim-process.ts';

/** What happened that may excuse a list from being right, now or until a while ago. */
export interface Weatherglass {
  /** The registry answers. */
  readonly isRegistryUp: boolean;
  /** Messages are lost, or were until lately. */
  readonly isLossy: boolean;
  /** The registry was down or stopped lately, so that those who left or came then may not be known. */
  readonly isUnsettled: boolean;
  /** Nothing ever happened in this run but deaths and goodbyes. */
  readonly isCalm: boolean;
  isCutLately(process: SimProcess): boolean;
}

/** Milliseconds that something is wrong without an excuse. */
interface Wrong {
  missingMs: number;
  servedMs: number;
  wasSeen: boolean;
}

/** Milliseconds for what a message and a timer take, and between two looks. */
const slackMs = 1000;

/** A restarted registry: reconnect (10 s and jitter), then the hold of one lease or 15 s, then a moment. */
const unsettledMs = 12_000 + 15_000 + 2000;

/**
 * Compares what each watcher has with what is true, sample by sample:
 *
 * - a living instance is not missing for longer than 1.5 intervals without a cause; a registry that is down, paused or has
 *   restarted is no cause for one that a watcher knew already;
 * - one that ended is not served for longer than its bound: at once after a goodbye or a kill with a session, its lease
 *   otherwise, and what a restart of the registry needs on top;
 * - the revision of a list never goes back within one run of the registry, and runs never return.
 */
export class History {
  readonly violations: string[] = [];
  readonly #wrong = new Map<string, Wrong>();
  readonly #positions = new Map<string, readonly [run: number, revision: number]>();
  readonly #epochs: string[] = [];
  readonly #intervalMs: number;
  samples = 0;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Another run of the registry. */
  begin(epoch: string): void {
    this.#epochs.push(epoch);
  }

  /** One look of a watcher at the list of a service, `sinceMs` after the one before. */
  sample(
    now: number,
    sinceMs: number,
    watcher: SimProcess,
    name: string,
    all: readonly SimProcess[],
    glass: Weatherglass,
  ): void {
    const resolution = watcher.client.peek(name);
    if (resolution === undefined) return;
    this.samples += 1;
    this.#checkPosition(`${watcher.host.address} ${name}`, resolution.revision);
    const listed = new Set(resolution.instances.map(({ incarnation }) => incarnation));
    for (const process of all) {
      const { incarnation } = process;
      if (incarnation === undefined) continue;
      const wrong = this.#wrongOf(`${watcher.host.address} ${incarnation}`);
      const isListed = listed.has(incarnation);
      wrong.wasSeen ||= isListed;
      const who = `${process.host.address} (${name}) at ${watcher.host.address}, ${now} ms`;
      if (process.endedAt === undefined)
        this.#checkLiving(who, wrong, isListed, sinceMs, process, watcher, glass);
      else this.#checkEnded(who, wrong, isListed, sinceMs, process, watcher, glass);
    }
  }

  #checkLiving(
    who: string,
    wrong: Wrong,
    isListed: boolean,
    sinceMs: number,
    process: SimProcess,
    watcher: SimProcess,
    glass: Weatherglass,
  ): void {
    const isExcused =
      glass.isLossy ||
      glass.isCutLately(process) ||
      glass.isCutLately(watcher) ||
      (!wrong.wasSeen && (!glass.isRegistryUp || glass.isUnsettled));
    wrong.missingMs = isListed || isExcused ? 0 : wrong.missingMs + sinceMs;
    if (wrong.missingMs <= this.#intervalMs * 1.5 + slackMs) return;
    this.violations.push(`missing: ${who}`);
    wrong.missingMs = -Infinity;
  }

  #checkEnded(
    who: string,
    wrong: Wrong,
    isListed: boolean,
    sinceMs: number,
    process: SimProcess,
    watcher: SimProcess,
    glass: Weatherglass,
  ): void {
    const isExcused =
      !glass.isRegistryUp || glass.isLossy || glass.isCutLately(watcher) || glass.isCutLately(process);
    if (!isListed) wrong.servedMs = 0;
    else if (!isExcused) wrong.servedMs += sinceMs;
    if (wrong.servedMs <= this.#bound(process, glass)) return;
    this.violations.push(`served: ${who}, ended at ${process.endedAt ?? 0} ms`);
    wrong.servedMs = -Infinity;
  }

  /** Milliseconds for which one that ended may still be served. */
  #bound(process: SimProcess, glass: Weatherglass): number {
    if (!glass.isCalm) return unsettledMs + this.#intervalMs * 3 + slackMs;
    return (process.hasSession ? 0 : this.#intervalMs * 1.5) + slackMs;
  }

  #checkPosition(key: string, revision: string): void {
    const colon = revision.lastIndexOf(':');
    if (colon < 0) return;
    const next = [this.#epochs.indexOf(revision.slice(0, colon)), Number(revision.slice(colon + 1))] as const;
    const last = this.#positions.get(key) ?? next;
    if (next[0] < last[0] || (next[0] === last[0] && next[1] < last[1]))
      this.violations.push(`revision: ${key} went from ${last.join(':')} to ${next.join(':')}`);
    this.#positions.set(key, next);
  }

  #wrongOf(key: string): Wrong {
    let wrong = this.#wrong.get(key);
    if (wrong === undefined) this.#wrong.set(key, (wrong = { missingMs: 0, servedMs: 0, wasSeen: false }));
    return wrong;
  }
}
